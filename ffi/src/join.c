/* Packets of one flow that follow one another in a batch, joined to one record as core/wire/joining.py says.
 *
 * A text is moved behind the one before it, as far as the slot of that one reaches. Which record is the last of its flow stands
 * in a table of a few hundred places: where two flows meet in one, fewer packets are joined, and nothing else.
 */
#include "parse.h"
#include <stdlib.h>

enum { PIECES_MAX = 255, NOT_PSH = 0xff & ~FLAG_PSH, PLACES = 256 };

/* The last record of a flow in a batch. */
struct place {
    uint32_t batch; /* in which it was written; another one's is no record of this batch */
    uint32_t index;
    uint32_t piece_bytes; /* the payload of its first packet */
};

struct joiner {
    uint8_t *arena;
    uint32_t slot_bytes;
    struct in_record *records;
    struct side_record *side;
    uint32_t batch;
    struct place places[PLACES];
};

struct joiner *joiner_new(uint8_t *arena, uint32_t slot_bytes, struct in_record *records, struct side_record *side)
{
    struct joiner *joiner = calloc(1, sizeof *joiner);
    if (joiner)
        *joiner = (struct joiner){.arena = arena, .slot_bytes = slot_bytes, .records = records, .side = side};
    return joiner;
}

void joiner_free(struct joiner *joiner)
{
    free(joiner);
}

void joiner_begin(struct joiner *joiner)
{
    joiner->batch++;
}

static int is_plain(const struct in_record *record)
{
    return (record->kind == KIND_PLAIN || record->kind == KIND_TIMESTAMP) && (record->flags & NOT_PSH) == FLAG_ACK;
}

/* An ACK that reports something out of order, and says nothing else. */
static int is_report(const struct in_record *record, const struct side_record *side)
{
    return record->kind == KIND_OPTIONS && record->flags == FLAG_ACK && !record->payload_length && record->ecn < ECN_CE &&
           side->sack_count && !side->user_timeout && !side->ecn_option;
}

/* Whether a sequence number or timestamp is not before another (RFC 9293 3.4, RFC 7323 5.3). */
static int is_not_before(uint32_t later, uint32_t earlier)
{
    return later - earlier < 0x80000000u;
}

static int is_later_ack(const struct in_record *last, const struct in_record *next)
{
    return next->ack != last->ack && is_not_before(next->ack, last->ack) && is_not_before(next->ts_val, last->ts_val) &&
           next->seq == last->seq && !((next->flags | last->flags) & FLAG_PSH);
}

/* Whether a block holds a sequence number. */
static int holds(const uint32_t *block, uint32_t seq)
{
    return seq - block[0] < block[1] - block[0];
}

/* Whether the next report says what the last does, and more behind its first block. */
static int is_later_report(const struct joiner *joiner, uint32_t last_index, uint32_t next_index)
{
    const struct in_record *last = &joiner->records[last_index], *next = &joiner->records[next_index];
    const struct side_record *before = &joiner->side[last_index], *after = &joiner->side[next_index];
    const size_t others = (after->sack_count - 1u) * 2 * sizeof after->sack[0];
    if (last->ecn != next->ecn || last->ack != next->ack || last->seq != next->seq ||
        before->has_timestamp != after->has_timestamp || !is_not_before(next->ts_val, last->ts_val))
        return 0;
    if (before->sack_count != after->sack_count || memcmp(before->sack + 2, after->sack + 2, others))
        return 0;
    const uint32_t left = after->sack[0], right = before->sack[1], later = after->sack[1];
    return left == before->sack[0] && left != next->ack && is_not_before(left, next->ack) && later != right &&
           is_not_before(later, right) && !(others && holds(after->sack + 2, left));
}

static int is_next_text(const struct joiner *joiner, const struct place *place, const struct in_record *next)
{
    const struct in_record *last = &joiner->records[place->index];
    const uint32_t bytes = (uint32_t)last->payload_length + next->payload_length;
    const uint32_t room = joiner->slot_bytes - last->payload_offset % joiner->slot_bytes;
    return next->ack == last->ack && next->window == last->window && next->ts_val == last->ts_val &&
           next->ts_ecr == last->ts_ecr && !(last->flags & FLAG_PSH) && next->seq == last->seq + last->payload_length &&
           last->payload_length % place->piece_bytes == 0 && next->payload_length <= place->piece_bytes &&
           bytes <= SUPER_SEGMENT_BYTES_MAX && bytes <= room;
}

static void join_text(const struct joiner *joiner, struct in_record *last, const struct in_record *next)
{
    uint8_t *end = joiner->arena + last->payload_offset + last->payload_length;
    memmove(end, joiner->arena + next->payload_offset, next->payload_length);
    last->payload_length += next->payload_length;
    last->flags = next->flags;
    last->pieces++;
}

/* A later ACK stands for the one before it, too. */
static void replace_record(struct in_record *last, const struct in_record *next)
{
    const uint8_t pieces = last->pieces;
    *last = *next;
    last->pieces = pieces + 1;
}

static int is_joined(const struct joiner *joiner, const struct place *place, const struct in_record *next)
{
    struct in_record *last = &joiner->records[place->index];
    if (last->kind != next->kind || last->ecn != next->ecn || !is_plain(last) || last->pieces == PIECES_MAX)
        return 0;
    if (last->payload_length && next->payload_length && is_next_text(joiner, place, next)) {
        join_text(joiner, last, next);
        return 1;
    }
    if (last->payload_length || next->payload_length || !is_later_ack(last, next))
        return 0;
    replace_record(last, next);
    return 1;
}

/* The same of two reports. */
static int is_report_joined(const struct joiner *joiner, uint32_t last_index, uint32_t next_index)
{
    struct in_record *last = &joiner->records[last_index];
    if (last->pieces == PIECES_MAX || !is_report(last, &joiner->side[last_index]) ||
        !is_later_report(joiner, last_index, next_index))
        return 0;
    replace_record(last, &joiner->records[next_index]);
    joiner->side[last_index] = joiner->side[next_index];
    return 1;
}

/* A number from 0 to PLACES - 1 out of the peer's address and the ports. */
static uint32_t place_of(const uint8_t *flow)
{
    uint32_t address, ports;
    memcpy(&address, flow + 12, 4);
    memcpy(&ports, flow + 32, 4);
    return ((address ^ ports) * 0x9e3779b1u) >> 24;
}

int joiner_take(struct joiner *joiner, uint32_t index)
{
    const struct in_record *next = &joiner->records[index];
    if (next->kind > KIND_OPTIONS)
        return 0;
    struct place *place = &joiner->places[place_of(next->flow)];
    const struct in_record *last = &joiner->records[place->index];
    const int is_same_flow = place->batch == joiner->batch && !memcmp(last->flow, next->flow, sizeof next->flow);
    if (is_same_flow && is_plain(next) && is_joined(joiner, place, next))
        return 1;
    if (is_same_flow && is_report(next, &joiner->side[index]) && is_report_joined(joiner, place->index, index))
        return 1;
    *place = (struct place){joiner->batch, index, next->payload_length};
    return 0;
}
