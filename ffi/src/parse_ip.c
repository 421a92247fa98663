/* IPv4 and IPv6 headers: what must hold before anyone looks at the TCP header behind them.
 *
 * Owns every check of lengths against the bytes that are really there: nothing here or below reads outside them.
 * Source: RFC 791, RFC 8200, RFC 1122 3.2.1, RFC 9293 3.9.2.
 */
#include "parse.h"

static int parse_upper(struct upper *upper, uint8_t protocol, struct in_record *record, struct side_record *side)
{
    if (is_bad_address(upper->source, upper->address_bytes) || is_bad_address(upper->destination, upper->address_bytes))
        return BAD_ADDRESS;
    if (protocol == NEXT_TCP)
        return parse_tcp(upper, record, side);
    if (protocol == (upper->address_bytes == 4 ? NEXT_ICMP : NEXT_ICMPV6))
        return parse_icmp(upper, record);
    return NOT_TCP;
}

static int parse_ipv4(struct upper *upper, struct in_record *record, struct side_record *side)
{
    const uint8_t *ip = upper->bytes;
    if (upper->length < IPV4_HEADER_BYTES)
        return IP_TOO_SHORT;
    const uint32_t header = (ip[0] & 0x0f) * 4u, total = load16(ip + 2);
    if (header < IPV4_HEADER_BYTES || header > upper->length)
        return IP_BAD_HEADER;
    if (total > upper->length)
        return IP_TOO_SHORT;
    if (total < header)
        return IP_BAD_HEADER;
    if (checksum_finish(checksum_add(0, ip, header)))
        return IP_BAD_CHECKSUM;
    if (load16(ip + 6) & 0x3fff) /* more fragments, or an offset */
        return IP_FRAGMENT;
    upper->source = ip + 12;
    upper->destination = ip + 16;
    upper->address_bytes = 4;
    upper->ecn = ip[1] & ECN_MASK; /* RFC 3168 5: of the type of service, and below of the traffic class */
    upper->bytes += header;
    upper->offset += header;
    upper->length = total - header;
    return parse_upper(upper, ip[9], record, side);
}

/* Moves `upper` behind the extension headers. Returns 0 and the protocol found there, or a reason. */
static int skip_extension_headers(struct upper *upper, uint8_t *next)
{
    for (int headers = 0;; headers++) {
        if (*next == NEXT_FRAGMENT)
            return IP_FRAGMENT;
        if (*next != NEXT_HOP_BY_HOP && *next != NEXT_ROUTING && *next != NEXT_DESTINATION)
            return 0;
        /* RFC 8200 4.1: hop-by-hop options come first or not at all. */
        if (headers == EXTENSION_HEADERS_MAX || (*next == NEXT_HOP_BY_HOP && headers) || upper->length < 8)
            return IP_BAD_HEADER;
        const uint32_t length = (upper->bytes[1] + 1u) * 8u;
        /* RFC 8200 4.4: with segments left the packet is not yet where it is going; RFC 5095 refuses such for hosts. */
        if (length > upper->length || (*next == NEXT_ROUTING && upper->bytes[3]))
            return IP_BAD_HEADER;
        *next = upper->bytes[0];
        upper->bytes += length;
        upper->offset += length;
        upper->length -= length;
    }
}

static int parse_ipv6(struct upper *upper, struct in_record *record, struct side_record *side)
{
    const uint8_t *ip = upper->bytes;
    if (upper->length < IPV6_HEADER_BYTES)
        return IP_TOO_SHORT;
    const uint32_t payload = load16(ip + 4);
    if (payload > upper->length - IPV6_HEADER_BYTES)
        return IP_TOO_SHORT;
    upper->source = ip + 8;
    upper->destination = ip + 24;
    upper->address_bytes = 16;
    upper->ecn = ip[1] >> 4 & ECN_MASK;
    upper->bytes += IPV6_HEADER_BYTES;
    upper->offset += IPV6_HEADER_BYTES;
    upper->length = payload;
    uint8_t next = ip[6];
    const int reason = skip_extension_headers(upper, &next);
    return reason ? reason : parse_upper(upper, next, record, side);
}

static int parse_version(const uint8_t *packet, uint32_t offset, uint32_t length, uint32_t notes, struct in_record *record,
                         struct side_record *side)
{
    struct upper upper = {.bytes = packet, .length = length, .offset = offset,
                          .checksum_not_ready = notes & PACKET_CHECKSUM_NOT_READY};
    if (notes & PACKET_TRUNCATED)
        return TRUNCATED;
    if (length == 0)
        return IP_TOO_SHORT;
    if (packet[0] >> 4 == 4)
        return parse_ipv4(&upper, record, side);
    if (packet[0] >> 4 == 6)
        return parse_ipv6(&upper, record, side);
    return IP_BAD_VERSION;
}

int packet_parse(const uint8_t *arena, uint32_t offset, uint32_t length, uint32_t notes, struct in_record *record,
                 struct side_record *side)
{
    const int kind = parse_version(arena + offset, offset, length, notes, record, side);
    record->pieces = 1;
    if (kind >= IP_TOO_SHORT) /* what was filled in before the fault was found is not to be trusted */
        memset(record, 0, sizeof *record);
    record->kind = (uint8_t)kind;
    return kind;
}
