/* ICMP and ICMPv6 errors that quote a TCP segment of ours.
 *
 * The quoted packet is one that we sent, so its source is our side, and the flow is turned round.
 * Source: RFC 792, RFC 4443 2.4 and 3, RFC 1191 4, RFC 5927.
 */
#include "parse.h"

enum { V4_UNREACHABLE = 3, V4_TIME_EXCEEDED = 11, V4_PARAMETER_PROBLEM = 12, V4_FRAGMENTATION_NEEDED_CODE = 4 };
enum { V6_UNREACHABLE = 1, V6_PACKET_TOO_BIG = 2, V6_PARAMETER_PROBLEM = 4 };
enum { QUOTED_TCP_BYTES = 8 };

/* Differs: source quench is not among them; RFC 6633 3 lets TCP discard it. */
static int is_error(uint8_t type, uint32_t address_bytes)
{
    if (address_bytes == 4)
        return type == V4_UNREACHABLE || type == V4_TIME_EXCEEDED || type == V4_PARAMETER_PROBLEM;
    return type >= V6_UNREACHABLE && type <= V6_PARAMETER_PROBLEM;
}

static uint32_t read_mtu(const uint8_t *icmp, uint32_t address_bytes)
{
    if (address_bytes == 4)
        return icmp[0] == V4_UNREACHABLE && icmp[1] == V4_FRAGMENTATION_NEEDED_CODE ? load16(icmp + 6) : 0;
    return icmp[0] == V6_PACKET_TOO_BIG ? load32(icmp + 4) : 0;
}

/* Finds the quoted TCP header; 0 or a reason. We send IPv4 without options or offset, IPv6 without extension headers. */
static int find_quoted(const uint8_t *ip, uint32_t length, uint32_t address_bytes, const uint8_t **tcp)
{
    const uint32_t least = address_bytes == 4 ? IPV4_HEADER_BYTES : IPV6_HEADER_BYTES;
    if (length < least + QUOTED_TCP_BYTES)
        return ICMP_TOO_SHORT;
    if (address_bytes == 4 && (ip[0] != 0x45 || ip[9] != NEXT_TCP || load16(ip + 6) & 0x1fff))
        return NOT_TCP;
    if (address_bytes == 16 && (ip[0] >> 4 != 6 || ip[6] != NEXT_TCP))
        return NOT_TCP;
    *tcp = ip + least;
    return 0;
}

static int read_quoted(const struct upper *upper, struct in_record *record)
{
    const uint32_t bytes = upper->address_bytes;
    const uint8_t *ip = upper->bytes + ICMP_HEADER_BYTES, *tcp;
    const int reason = find_quoted(ip, upper->length - ICMP_HEADER_BYTES, bytes, &tcp);
    if (reason)
        return reason;
    const uint8_t *local = ip + (bytes == 4 ? 12 : 8), *remote = local + bytes;
    if (is_bad_address(local, bytes) || is_bad_address(remote, bytes))
        return BAD_ADDRESS;
    put_address(record->flow, remote, bytes);
    put_address(record->flow + 16, local, bytes);
    memcpy(record->flow + 32, tcp + 2, 2);
    memcpy(record->flow + 34, tcp, 2);
    record->seq = load32(tcp + 4);
    return 0;
}

int parse_icmp(const struct upper *upper, struct in_record *record)
{
    const uint8_t *icmp = upper->bytes;
    if (upper->length < ICMP_HEADER_BYTES)
        return ICMP_TOO_SHORT;
    if (!is_error(icmp[0], upper->address_bytes))
        return NOT_TCP;
    const uint16_t sum = upper->address_bytes == 4 ? checksum_finish(checksum_add(0, icmp, upper->length))
                                                   : upper_checksum(upper, NEXT_ICMPV6);
    if (!upper->checksum_not_ready && sum)
        return ICMP_BAD_CHECKSUM;
    const int reason = read_quoted(upper, record);
    if (reason)
        return reason;
    record->flags = icmp[0];
    record->window = icmp[1];
    record->ack = read_mtu(icmp, upper->address_bytes);
    record->ts_val = record->ts_ecr = 0;
    record->payload_offset = upper->offset;
    record->payload_length = (uint16_t)upper->length;
    record->ecn = 0;
    return KIND_ICMP;
}
