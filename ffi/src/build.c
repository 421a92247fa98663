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

int packet_is_ipv4(const struct out_record *record)
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
    tcp[12] = (uint8_t)(header / 4 << 4 | (record->kind & OUT_AE ? FLAG_AE : 0));
    tcp[13] = record->flags;
    store16(tcp + 14, record->window);
    memset(tcp + 16, 0, 4);
    if (record->kind & OUT_TIMESTAMP)
        write_timestamp(tcp + TCP_HEADER_BYTES, record);
    else
        store16(tcp + 18, (uint16_t)record->ts_val); /* the urgent pointer */
}

/* The checksum of a TCP header of `header` bytes and of `length` bytes of text, which need not stand behind it. */
static void write_checksum(uint8_t *tcp, uint32_t header, const uint8_t *text, uint32_t length, const struct out_record *record)
{
    const uint32_t bytes = packet_is_ipv4(record) ? 4 : 16;
    const struct upper upper = {.bytes = tcp, .length = header + length, .source = record->flow + 32 - bytes,
                                .destination = record->flow + 16 - bytes, .address_bytes = bytes};
    const uint64_t above = checksum_add(pseudo_header_sum(&upper, NEXT_TCP), tcp, header);
    const uint16_t sum = checksum_finish(checksum_add(above, text, length));
    memcpy(tcp + 16, &sum, 2);
}

static void write_ip(uint8_t *ip, uint32_t total, const struct out_record *record, uint8_t ttl)
{
    if (packet_is_ipv4(record))
        write_ipv4(ip, total, record, ttl);
    else
        write_ipv6(ip, total - IPV6_HEADER_BYTES, record, ttl);
}

uint32_t ip_header_bytes(const struct out_record *record)
{
    return packet_is_ipv4(record) ? IPV4_HEADER_BYTES : IPV6_HEADER_BYTES;
}

static uint32_t timestamp_bytes(const struct out_record *record)
{
    return record->kind & OUT_TIMESTAMP ? TIMESTAMP_BYTES : 0;
}

int packet_build(uint8_t *arena, uint32_t arena_bytes, const struct out_record *record, uint8_t ttl, uint32_t *start)
{
    const uint32_t ip_header = ip_header_bytes(record), timestamp = timestamp_bytes(record);
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
    write_checksum(tcp, TCP_HEADER_BYTES + timestamp, arena + *start + before, behind, record);
    write_ip(ip, total, record, ttl);
    return (int)total;
}

uint32_t headers_write(uint8_t *ip, const struct out_record *record, uint8_t ttl, uint32_t behind, uint64_t *pseudo)
{
    const uint32_t ip_header = ip_header_bytes(record), tcp_header = TCP_HEADER_BYTES + timestamp_bytes(record);
    const uint32_t bytes = packet_is_ipv4(record) ? 4 : 16;
    const struct upper upper = {.length = tcp_header + behind, .source = record->flow + 32 - bytes,
                                .destination = record->flow + 16 - bytes, .address_bytes = bytes};
    write_tcp(ip + ip_header, tcp_header + record->options_length, record);
    write_ip(ip, ip_header + tcp_header + behind, record, ttl);
    *pseudo = pseudo_header_sum(&upper, NEXT_TCP);
    return ip_header + tcp_header;
}

int packet_can_cut(const struct out_record *record, uint32_t arena_bytes)
{
    return record->cut_bytes && !record->options_length && record->cut_bytes <= IP_MAX_BYTES - HEADROOM_BYTES &&
           record->payload_offset <= arena_bytes && record->payload_length <= arena_bytes - record->payload_offset;
}

uint32_t packet_build_piece(uint8_t *headers, const uint8_t *arena, const struct out_record *record, uint8_t ttl,
                            uint32_t piece_start, uint32_t piece_bytes)
{
    const uint32_t ip_header = ip_header_bytes(record), tcp_header = TCP_HEADER_BYTES + timestamp_bytes(record);
    struct out_record piece = *record;
    piece.seq += piece_start;
    if (piece_start)
        piece.flags &= ~FLAG_CWR;
    if (piece_start + piece_bytes < record->payload_length)
        piece.flags &= ~(FLAG_PSH | FLAG_FIN);
    uint8_t *tcp = headers + ip_header;
    write_tcp(tcp, tcp_header, &piece);
    write_checksum(tcp, tcp_header, arena + record->payload_offset + piece_start, piece_bytes, &piece);
    write_ip(headers, ip_header + tcp_header + piece_bytes, &piece, ttl);
    return ip_header + tcp_header;
}
