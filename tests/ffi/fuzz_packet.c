/* Throws packets at the parser and the joiner and records at the builders, each in an allocation of its exact size, for
 * sanitizers to watch.
 *
 * usage: fuzz SEED ROUNDS; prints how many different outcomes were reached.
 */
#include "packet.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t state;

static uint32_t draw(uint32_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 16) % below;
}

static void scramble(uint8_t *bytes, uint32_t length)
{
    for (uint32_t i = 0; i < length; i++)
        bytes[i] = (uint8_t)draw(256);
}

/* The record as a super-segment and as a frame, as far as it can be either. */
static void leave(const uint8_t *arena, uint32_t arena_bytes, const struct out_record *record)
{
    const struct hop hop = {.link = 1, .mtu = (uint16_t)draw(65536)};
    uint8_t *headers = malloc(FRAME_HEADERS_BYTES);
    frame_build(headers, record, 64, &hop);
    free(headers);
    struct out_record whole = *record;
    whole.options_length = 0;
    whole.cut_bytes = (uint16_t)(1 + draw(60));
    if (!packet_can_cut(&whole, arena_bytes))
        return;
    for (uint32_t at = 0; at < whole.payload_length; at += whole.cut_bytes) {
        const uint32_t left = whole.payload_length - at;
        headers = malloc(HEADROOM_BYTES);
        packet_build_piece(headers, arena, &whole, 64, at, left < whole.cut_bytes ? left : whole.cut_bytes);
        free(headers);
    }
}

/* A record that is sometimes too long, too short, or beside the arena. Returns the length of a packet or -1. */
static int build(uint8_t *arena, uint32_t arena_bytes, uint32_t *start)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    struct out_record record;
    scramble((uint8_t *)&record, sizeof record);
    if (draw(2)) {
        memcpy(record.flow, mapped, 12);
        memcpy(record.flow + 16, mapped, 12);
    }
    record.kind = draw(2);
    record.payload_offset = draw(8) ? HEADROOM_BYTES : draw(arena_bytes + 4);
    record.payload_length = draw(arena_bytes);
    record.options_length = draw(4) ? 4 * draw(8) : draw(60);
    leave(arena, arena_bytes, &record);
    return packet_build(arena, arena_bytes, &record, 64, start);
}

static void fix_header_sum(uint8_t *packet, uint32_t length)
{
    const uint32_t header = length ? (packet[0] & 15) * 4u : 0;
    if (length < 20 || packet[0] >> 4 != 4 || header < 20 || header > length)
        return;
    packet[2] = length >> 8;
    packet[3] = length;
    memset(packet + 10, 0, 2);
    const uint16_t sum = checksum_finish(checksum_add(0, packet, header));
    memcpy(packet + 10, &sum, 2);
}

static int parse(const uint8_t *bytes, uint32_t length)
{
    struct in_record record;
    struct side_record side;
    uint8_t *packet = malloc(length ? length : 1);
    memcpy(packet, bytes, length);
    for (uint32_t edits = draw(4); edits && length; edits--)
        packet[draw(length < 80 ? length : 80)] = (uint8_t)draw(256);
    if (draw(2))
        fix_header_sum(packet, length);
    const int kind = packet_parse(packet, 0, length, draw(4) ? PACKET_CHECKSUM_NOT_READY : draw(4), &record, &side);
    if (kind < IP_TOO_SHORT && record.payload_offset + record.payload_length > length)
        abort();
    free(packet);
    return kind;
}

/* The same packet a few times in a batch, changed a little, in slots that are hardly longer than it is. Returns how many of
 * them were joined. */
static int join(const uint8_t *packet, uint32_t length)
{
    enum { SLOTS = 4 };
    struct in_record records[SLOTS];
    struct side_record side[SLOTS];
    const uint32_t slot_bytes = length + draw(120);
    uint8_t *arena = malloc(SLOTS * slot_bytes);
    struct joiner *joiner = joiner_new(arena, slot_bytes, records, side);
    uint32_t count = 0;
    joiner_begin(joiner);
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        memcpy(arena + slot * slot_bytes, packet, length);
        packet_parse(arena, slot * slot_bytes, length, PACKET_CHECKSUM_NOT_READY, &records[count], &side[count]);
        if (draw(2)) { /* what follows it */
            records[count].flags = 0x10;
            records[count].seq += records[count].payload_length ? slot * records[count].payload_length : 0;
            records[count].ack += records[count].payload_length || side[count].sack_count ? 0 : slot;
            side[count].sack[1] += slot;
        }
        count += !joiner_take(joiner, count);
    }
    for (uint32_t i = 0; i < count; i++)
        if (records[i].kind < IP_TOO_SHORT && records[i].payload_offset + records[i].payload_length > SLOTS * slot_bytes)
            abort();
    joiner_free(joiner);
    free(arena);
    return (int)(SLOTS - count);
}

int main(int count, char **words)
{
    int outcomes = 0, seen[256] = {0};
    state = count > 1 ? strtoull(words[1], NULL, 10) | 1 : 1;
    for (long rounds = count > 2 ? atol(words[2]) : 1000; rounds; rounds--) {
        const uint32_t arena_bytes = HEADROOM_BYTES + draw(200);
        uint8_t *arena = malloc(arena_bytes);
        uint32_t start = 0;
        scramble(arena, arena_bytes);
        const int length = build(arena, arena_bytes, &start);
        const int kind = length < 0 ? parse(arena, draw(arena_bytes)) : parse(arena + start, draw(8) ? (uint32_t)length : draw(length));
        outcomes += !seen[kind]++;
        if (length > 0)
            outcomes += !seen[128 + join(arena + start, (uint32_t)length)]++;
        free(arena);
    }
    printf("%d outcomes\n", outcomes);
    return 0;
}
