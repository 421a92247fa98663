/* The TCP header and its options.
 *
 * Source: RFC 9293 3.1 and 3.2, RFC 7323 2.2 and 3.2, RFC 2018 2 and 3, RFC 7413 4.1.1, RFC 6994 3, RFC 5482 3,
 * RFC 3168 5, RFC 9768 3.2.3.
 */
#include "parse.h"

enum { TIMESTAMP_PADDED_BYTES = 12, SACK_BLOCKS_MAX = 4, COOKIE_BYTES_MIN = 4, COOKIE_BYTES_MAX = 16 };
enum { FAST_OPEN_MAGIC = 0xf989, USER_TIMEOUT_VALUE = 0x7fff };
enum { ECN_FIELD_BYTES = 3, ECN_FIELDS_MAX = 3 };
static const uint8_t TIMESTAMP_FIRST[4] = {OPTION_NOP, OPTION_NOP, OPTION_TIMESTAMP, 10};

static void read_sack(const uint8_t *option, uint8_t length, struct side_record *side)
{
    /* RFC 2018 3: length 8n + 2; an option of another length is ignored. */
    const uint8_t count = (length - 2) / 8;
    if ((length - 2) % 8 || count == 0 || count > SACK_BLOCKS_MAX)
        return;
    side->sack_count = count;
    for (int edge = 0; edge < 2 * count; edge++)
        side->sack[edge] = load32(option + 2 + 4 * edge);
}

/* A Fast Open cookie, or the request for one. RFC 7413 4.1.1: 4 to 16 octets, an even number of them; any other length
 * is ignored. */
static void read_cookie(const uint8_t *cookie, int length, int experiment, struct side_record *side)
{
    if (length && (length < COOKIE_BYTES_MIN || length > COOKIE_BYTES_MAX || length % 2))
        return;
    side->cookie_length = (int8_t)(length + experiment);
    memcpy(side->cookie, cookie, (size_t)length);
}

/* RFC 5482 3.5: a value of zero is reserved, and ignored. */
static void read_user_timeout(uint16_t field, struct side_record *side)
{
    if (field & USER_TIMEOUT_VALUE)
        side->user_timeout = field;
}

/* RFC 9768 3.2.3: of an option of any other length than 2, 5, 8 and 11 "those whole 3-octet fields that fit" count. */
static void read_ecn_bytes(const uint8_t *option, uint8_t length, struct side_record *side)
{
    const int whole = (length - 2) / ECN_FIELD_BYTES, count = whole < ECN_FIELDS_MAX ? whole : ECN_FIELDS_MAX;
    side->ecn_option = (uint8_t)(1 + count + (option[0] == OPTION_ECN_BYTES_1 ? ECN_ORDER_1 : 0));
    memset(side->ecn_fields, 0, sizeof side->ecn_fields);
    for (int field = 0; field < count; field++) {
        const uint8_t *octets = option + 2 + ECN_FIELD_BYTES * field;
        side->ecn_fields[field] = (uint32_t)octets[0] << 16 | load16(octets + 1);
    }
}

/* One well-formed option. One of a known kind but another length than its own is ignored, as an unknown one is
 * (RFC 9293 3.1, MUST-6); those that belong in a SYN are ignored elsewhere (RFC 7323 2.2). */
static void read_option(const uint8_t *option, uint8_t length, int syn, struct in_record *record, struct side_record *side)
{
    const uint8_t kind = option[0];
    if (kind == OPTION_TIMESTAMP && length == 10) {
        side->has_timestamp = 1;
        record->ts_val = load32(option + 2);
        record->ts_ecr = load32(option + 6);
    } else if (kind == OPTION_SACK) {
        read_sack(option, length, side);
    } else if (kind == OPTION_USER_TIMEOUT && length == 4) {
        read_user_timeout(load16(option + 2), side);
    } else if (kind == OPTION_ECN_BYTES_0 || kind == OPTION_ECN_BYTES_1) {
        read_ecn_bytes(option, length, side);
    } else if (syn && kind == OPTION_MSS && length == 4) {
        side->mss = load16(option + 2);
    } else if (syn && kind == OPTION_WINDOW_SCALE && length == 3) {
        /* Only 14 and less mean anything, so 127 stands for all above that an int8_t cannot hold. */
        side->window_scale = option[2] > 127 ? 127 : (int8_t)option[2];
    } else if (syn && kind == OPTION_SACK_PERMITTED && length == 2) {
        side->sack_permitted = 1;
    } else if (syn && kind == OPTION_FAST_OPEN) {
        read_cookie(option + 2, length - 2, 0, side);
    } else if (syn && kind == OPTION_EXPERIMENT && length >= 4 && load16(option + 2) == FAST_OPEN_MAGIC) {
        read_cookie(option + 4, length - 4, COOKIE_EXPERIMENT, side);
    }
}

static int read_options(const uint8_t *option, uint32_t left, int syn, struct in_record *record, struct side_record *side)
{
    while (left) {
        if (option[0] == OPTION_END)
            return 1;
        uint8_t length = 1;
        if (option[0] != OPTION_NOP) {
            if (left < 2 || option[1] < 2 || option[1] > left)
                return 0;
            length = option[1];
            read_option(option, length, syn, record, side);
        }
        option += length;
        left -= length;
    }
    return 1;
}

static int kind_of(const struct side_record *side)
{
    if (side->sack_count || side->mss || side->sack_permitted || side->urgent || side->window_scale >= 0)
        return KIND_OPTIONS;
    if (side->cookie_length >= 0 || side->user_timeout || side->ecn_option)
        return KIND_OPTIONS;
    return side->has_timestamp ? KIND_TIMESTAMP : KIND_PLAIN;
}

static int parse_options(const uint8_t *tcp, uint32_t header, struct in_record *record, struct side_record *side)
{
    const uint8_t *options = tcp + TCP_HEADER_BYTES;
    const uint32_t length = header - TCP_HEADER_BYTES;
    const int urgent = record->flags & FLAG_URG, marked = record->ecn >= ECN_CE;
    if (!length && !urgent && !marked)
        return KIND_PLAIN;
    if (length == TIMESTAMP_PADDED_BYTES && !memcmp(options, TIMESTAMP_FIRST, 4) && !urgent && !marked) {
        record->ts_val = load32(options + 4);
        record->ts_ecr = load32(options + 8);
        return KIND_TIMESTAMP;
    }
    memset(side, 0, sizeof *side);
    side->window_scale = side->cookie_length = -1;
    side->urgent = urgent ? load16(tcp + 18) : 0;
    if (!read_options(options, length, record->flags & FLAG_SYN, record, side))
        return TCP_BAD_OPTION;
    return marked ? KIND_OPTIONS : kind_of(side);
}

static void read_header(const struct upper *upper, uint32_t header, struct in_record *record)
{
    const uint8_t *tcp = upper->bytes;
    put_address(record->flow, upper->source, upper->address_bytes);
    put_address(record->flow + 16, upper->destination, upper->address_bytes);
    memcpy(record->flow + 32, tcp, 4);
    record->flags = tcp[13];
    record->window = load16(tcp + 14);
    record->seq = load32(tcp + 4);
    record->ack = load32(tcp + 8);
    record->ts_val = record->ts_ecr = 0;
    record->payload_offset = upper->offset + header;
    record->payload_length = (uint16_t)(upper->length - header);
    record->ecn = upper->ecn | (tcp[12] & FLAG_AE) * RECORD_AE;
}

int parse_tcp(const struct upper *upper, struct in_record *record, struct side_record *side)
{
    const uint8_t *tcp = upper->bytes;
    if (upper->length < TCP_HEADER_BYTES)
        return TCP_TOO_SHORT;
    const uint32_t header = (tcp[12] >> 4) * 4u;
    if (header < TCP_HEADER_BYTES || header > upper->length)
        return TCP_BAD_OFFSET;
    if (!upper->checksum_not_ready && upper_checksum(upper, NEXT_TCP))
        return TCP_BAD_CHECKSUM;
    if (!memcmp(upper->source, upper->destination, upper->address_bytes) && !memcmp(tcp, tcp + 2, 2))
        return LAND;
    read_header(upper, header, record);
    return parse_options(tcp, header, record, side);
}
