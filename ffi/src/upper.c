/* What TCP and ICMP ask of the IP header above them: the checksum over both, and whether an address is one of a host.
 *
 * Knows neither of the parsers: parse_ip.c calls them, they call this, and nothing calls back.
 * Source: RFC 791, RFC 1122 3.2.1, RFC 4291 2.5, RFC 8200 8.1, RFC 9293 3.1.
 */
#include "parse.h"

static const uint8_t UNSPECIFIED[16];

int is_bad_address(const uint8_t *address, uint32_t address_bytes)
{
    if (address_bytes == 4)
        return (address[0] & 0xf0) == 0xe0 || load32(address) == 0xffffffff || load32(address) == 0;
    return address[0] == 0xff || !memcmp(address, UNSPECIFIED, 16) || is_mapped(address);
}

uint64_t pseudo_header_sum(const struct upper *upper, uint8_t protocol)
{
    const uint8_t tail[8] = {upper->length >> 24, upper->length >> 16, upper->length >> 8, upper->length, 0, 0, 0, protocol};
    uint64_t sum = checksum_add(0, upper->source, upper->address_bytes);
    sum = checksum_add(sum, upper->destination, upper->address_bytes);
    return checksum_add(sum, tail, sizeof tail);
}

uint16_t upper_checksum(const struct upper *upper, uint8_t protocol)
{
    return checksum_finish(checksum_add(pseudo_header_sum(upper, protocol), upper->bytes, upper->length));
}
