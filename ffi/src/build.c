/* The headers of a segment to send, written before its options and payload in the send arena.
 *
 * IPv4: don't fragment (we do path MTU discovery), identification 0 (RFC 6864 4.1: an atomic datagram needs none; the kernel may
 * fill it in). IPv6: flow label 0. TTL and hop limit are the sender's, the type of service or traffic class is the record's.
 */
#include "parse.h"

enum { TIMESTAMP_BYTES = 12, OPTIONS_MAX_BYTES = 40, IP_MAX_BYTES = 65535 };

static void store16(uint8_t *out, uint16_t value)
{
    value = htobe16(value);
    memcpy(out, &value, 2);
}

static void store32(uint8_t *out, uint32_t value)
{
    value = htobe32(value);
    memcpy(out, &value, 4);
}

static int is_ipv4(const struct out_record *record)
{
    return is_mapped(record->flow);
}

static void write_ipv4(uint8_t *ip, uint32_t total, const struct out_record *record, uint8_t ttl)
{
    static const uint8_t fixed[12] = {0x45, 0, 0, 0, 0, 0, 0x40, 0, 0, NEXT_TCP, 0, 0};
    memcpy(ip, fixed, sizeof fixed);
    ip[1] = record->traffic_class;
    ip[8] = ttl;
    store16(ip + 2, (uint16_t)total);
    memcpy(ip + 12, record->flow + 28, 4);
    memcpy(ip + 16, record->flow + 12, 4);
    const uint16_t sum = checksum_finish(checksum_add(0, ip, IPV4_HEADER_BYTES));
    memcpy(ip + 10, &sum, 2);
}

static void write_ipv6(uint8_t *ip, uint32_t payload, const struct out_record *record, uint8_t ttl)
{
    static const uint8_t fixed[8] = {0x60, 0, 0, 0, 0, 0, NEXT_TCP, 0};
    memcpy(ip, fixed, sizeof fixed);
    ip[0] |= record->traffic_class >> 4;
    ip[1] = (uint8_t)(record->traffic_class << 4);
    ip[7] = ttl;
    store16(ip + 4, (uint16_t)payload);
    memcpy(ip + 8, record->flow + 16, 16);
    memcpy(ip + 24, record->flow, 16);
}

static void write_timestamp(uint8_t *option, const struct out_record *record)
{
    static const uint8_t first[4] = {OPTION_NOP, OPTION_NOP, OPTION_TIMESTAMP, 10};
    memcpy(option, first, sizeof first);
    store32(option + 4, record->ts_val);
    store32(option + 8, record->ts_ecr);
}

static void write_tcp(uint8_t *tcp, uint32_t header, const struct out_record *record)
{
    memcpy(tcp, record->flow + 34, 2);
    memcpy(tcp + 2, record->flow + 32, 2);
    store32(tcp + 4, record->seq);
    store32(tcp + 8, record->ack);
    tcp[12] = (uint8_t)(header / 4 << 4);
    tcp[13] = record->flags;
    store16(tcp + 14, record->window);
    memset(tcp + 16, 0, 4);
    if (record->kind == OUT_TIMESTAMP)
        write_timestamp(tcp + TCP_HEADER_BYTES, record);
    else
        store16(tcp + 18, (uint16_t)record->ts_val); /* the urgent pointer */
}

static void write_checksum(uint8_t *tcp, uint32_t length, const struct out_record *record)
{
    const uint32_t bytes = is_ipv4(record) ? 4 : 16;
    const struct upper upper = {.bytes = tcp, .length = length, .source = record->flow + 32 - bytes,
                                .destination = record->flow + 16 - bytes, .address_bytes = bytes};
    const uint16_t sum = upper_checksum(&upper, NEXT_TCP);
    memcpy(tcp + 16, &sum, 2);
}

int packet_build(uint8_t *arena, uint32_t arena_bytes, const struct out_record *record, uint8_t ttl, uint32_t *start)
{
    const uint32_t ip_header = is_ipv4(record) ? IPV4_HEADER_BYTES : IPV6_HEADER_BYTES;
    const uint32_t timestamp = record->kind == OUT_TIMESTAMP ? TIMESTAMP_BYTES : 0;
    const uint32_t before = ip_header + TCP_HEADER_BYTES + timestamp;
    const uint32_t behind = (uint32_t)record->options_length + record->payload_length;
    const uint32_t total = before + behind;
    if (timestamp + record->options_length > OPTIONS_MAX_BYTES || record->options_length % 4)
        return -1;
    /* An IPv4 header counts itself in its length, an IPv6 header does not. */
    if ((ip_header == IPV4_HEADER_BYTES ? total : total - ip_header) > IP_MAX_BYTES)
        return -1;
    if (record->payload_offset < before || record->payload_offset > arena_bytes || behind > arena_bytes - record->payload_offset)
        return -1;
    *start = record->payload_offset - before;
    uint8_t *ip = arena + *start, *tcp = ip + ip_header;
    write_tcp(tcp, TCP_HEADER_BYTES + timestamp + record->options_length, record);
    write_checksum(tcp, total - ip_header, record);
    if (ip_header == IPV4_HEADER_BYTES)
        write_ipv4(ip, total, record, ttl);
    else
        write_ipv6(ip, total - ip_header, record, ttl);
    return (int)total;
}
