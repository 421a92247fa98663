/* What the C code of packet I/O and Python share: records, constants, entry points.
 *
 * This file is also what cffi reads (lines that begin with '#' left out), so it keeps to structs, enums and prototypes.
 * The records are those of core/wire/record.py and the reasons those of core/wire/drop.py; tests hold them equal.
 * All numbers in records are in host order; addresses and ports of a flow stay in network order.
 */
#ifndef GOSSAMER_PACKET_H
#define GOSSAMER_PACKET_H
#include <stdint.h>

struct in_record {
    uint8_t flow[36];
    uint8_t kind;
    uint8_t flags;
    uint16_t window;
    uint32_t seq;
    uint32_t ack;
    uint32_t ts_val;
    uint32_t ts_ecr;
    uint32_t payload_offset;
    uint16_t payload_length;
    uint8_t ecn;
    uint8_t pieces; /* how many packets it came as; 1 when none was joined */
};

struct side_record {
    uint8_t has_timestamp;
    uint8_t sack_permitted;
    int8_t window_scale;
    uint8_t sack_count;
    uint16_t mss;
    uint16_t urgent;
    uint32_t sack[8];
    uint8_t cookie[16];
    uint16_t user_timeout;
    int8_t cookie_length; /* -1: none; COOKIE_EXPERIMENT more where the option is experimental */
    uint8_t ecn_option; /* 0: no AccECN option; else 1, how many fields it has, and ECN_ORDER_1 for kind 174 */
    uint32_t ecn_fields[3];
};

struct out_record {
    uint8_t flow[36];
    uint8_t kind;
    uint8_t flags;
    uint16_t window;
    uint32_t seq;
    uint32_t ack;
    uint32_t ts_val; /* with OUT_PLAIN the urgent pointer */
    uint32_t ts_ecr;
    uint32_t payload_offset;
    uint16_t payload_length;
    uint8_t options_length;
    uint8_t traffic_class; /* RFC 2474: the Diffserv field, and below it the two bits of ECN */
    uint16_t cut_bytes;    /* of a super-segment: the payload of each of its packets; 0: one packet */
    uint16_t hop;          /* by which it leaves as a frame; 0: through the raw socket */
};

/* Where a frame goes. */
struct hop {
    int32_t link;             /* index of the interface */
    uint16_t mtu;             /* longest packet */
    uint8_t destination[6];   /* link-layer addresses */
    uint8_t source[6];
};

enum in_kind {
    KIND_PLAIN = 0,
    KIND_TIMESTAMP = 1,
    KIND_OPTIONS = 2,
    KIND_ICMP = 3,
    IP_TOO_SHORT = 16,
    IP_BAD_VERSION = 17,
    IP_BAD_HEADER = 18,
    IP_BAD_CHECKSUM = 19,
    IP_FRAGMENT = 20,
    NOT_TCP = 21,
    TCP_TOO_SHORT = 22,
    TCP_BAD_OFFSET = 23,
    TCP_BAD_CHECKSUM = 24,
    TCP_BAD_OPTION = 25,
    LAND = 26,
    BAD_ADDRESS = 27,
    TRUNCATED = 28,
    ICMP_TOO_SHORT = 29,
    ICMP_BAD_CHECKSUM = 30,
};

/* OUT_AE is added to one of the others. */
enum out_kind { OUT_PLAIN = 0, OUT_TIMESTAMP = 1, OUT_AE = 2 };

/* AE of RFC 9768: the lowest bit of the octet of the data offset; in the field `ecn` of a record that came, the bit above
 * the codepoint, with which a packet is of KIND_OPTIONS like one that is marked. */
enum accurate_ecn { FLAG_AE = 1, RECORD_AE = 4, ECN_ORDER_1 = 4 };
enum fast_open { COOKIE_EXPERIMENT = 32 };

/* What the kernel said about a packet besides its bytes. */
enum packet_notes { PACKET_CHECKSUM_NOT_READY = 1, PACKET_TRUNCATED = 2 };

/* A hop-by-hop, routing and destination header, twice over; more is an attack on our time. */
enum packet_bounds { EXTENSION_HEADERS_MAX = 8, HEADROOM_BYTES = 72, FRAME_HEADERS_BYTES = 96, FLOW_LOCAL_PORT = 34, HOPS_MAX = 4096,
                     SUPER_SEGMENT_BYTES_MAX = 65455 };

/* Stretches of text that stay where they are until they are sent: of one segment, and of a batch. */
enum text_bounds { TEXT_PARTS_MAX = 4, APART_MAX = 256 };

/* Frames that the device has not taken yet: 34 ms of a gigabit. */
enum held_bounds { HELD_BYTES_MAX = 4194304 };

/* checksum.c: sums are ones' complement sums of 16-bit words in memory order (RFC 1071). */
uint64_t checksum_add(uint64_t sum, const uint8_t *bytes, uint32_t length);
uint16_t checksum_finish(uint64_t sum);

/* parse_ip.c: one packet of `length` bytes at arena + offset becomes one record; returns the kind. */
int packet_parse(const uint8_t *arena, uint32_t offset, uint32_t length, uint32_t notes,
                 struct in_record *record, struct side_record *side);

/* build.c: writes the headers of a record before its options and payload. Returns the length of the packet and where
 * it starts, or -1 if the record does not fit the arena, IP, or TCP. */
int packet_build(uint8_t *arena, uint32_t arena_bytes, const struct out_record *record, uint8_t ttl, uint32_t *start);

/* build.c: writes the headers of one packet of a super-segment, whose payload stays where it is: `piece_bytes` of it from
 * `piece_start` on. `record` must have passed packet_can_cut. Returns the length of the headers, at most HEADROOM_BYTES. */
uint32_t packet_build_piece(uint8_t *headers, const uint8_t *arena, const struct out_record *record, uint8_t ttl,
                            uint32_t piece_start, uint32_t piece_bytes);
/* Whether a record leaves as IPv4. */
int packet_is_ipv4(const struct out_record *record);
/* Whether a super-segment fits the arena, and each of its packets IP. */
int packet_can_cut(const struct out_record *record, uint32_t arena_bytes);

/* frame.c: writes what stands before the options and the payload of a frame that the kernel or the device cuts, and completes the
 * checksum of: virtio_net_hdr, Ethernet, IP, TCP. Returns its length, at most FRAME_HEADERS_BYTES; 0 for what fits no frame. */
uint32_t frame_build(uint8_t *headers, const struct out_record *record, uint8_t ttl, const struct hop *hop);

/* join.c: after joiner_begin, each record of a batch is offered once, in the order of arrival. Whether records[index] went into
 * the one of its flow before it; index is then free for the next. */
struct joiner;
struct joiner *joiner_new(uint8_t *arena, uint32_t slot_bytes, struct in_record *records, struct side_record *side);
void joiner_begin(struct joiner *joiner);
int joiner_take(struct joiner *joiner, uint32_t index);
void joiner_free(struct joiner *joiner);

/* read.c: a stretch of a file into memory. How much there was, less than `length` only where the file ends; -1 with errno. */
int64_t file_read(int fd, uint8_t *bytes, uint32_t length, uint64_t offset);
/* A window into a file, which only the kernel may look through: what is shown may go at any time. NULL when there can be none. */
uint8_t *window_open(int fd, uint64_t offset, uint32_t length);
void window_close(uint8_t *window, uint32_t length);

/* receive.c */
struct receiver;
struct receiver *receiver_new(int fd, uint8_t *arena, uint32_t slot_bytes, uint32_t slots,
                              struct in_record *records, struct side_record *side, uint16_t accepted_port);
/* Whether the kernel may go on with the packet of a record: it is for `port` (in network order; 0 for none). */
int packet_is_accepted(const struct in_record *record, uint16_t port);
int receiver_recv(struct receiver *receiver);
void receiver_free(struct receiver *receiver);

/* send.c */
struct sender;
struct sender *sender_new(int fd4, int fd6, uint8_t *arena, uint32_t arena_bytes,
                          const struct out_record *records, uint32_t records_max, uint8_t ttl);
int sender_send(struct sender *sender, uint32_t count);
/* The text of a super-segment that does not stand in the arena, stretch by stretch, at most TEXT_PARTS_MAX of them, in the order
 * of the records: memory, with -1 for `fd`, or a window into a file at `offset`. They must stay until they are sent. -1 when there
 * is no room for one more. */
int sender_add_part(struct sender *sender, uint32_t record, const uint8_t *bytes, uint32_t length, int fd, uint64_t offset);
/* After sender_send: one of its records that did not leave since its file has become shorter; -1 when there is none left. */
int32_t sender_take_fault(struct sender *sender);
/* From now on records with a hop leave as frames through `fd`, an AF_PACKET socket with PACKET_VNET_HDR. 0, or -1 without memory. */
int sender_open_frames(struct sender *sender, int fd);
void sender_place_hop(struct sender *sender, uint32_t number, const struct hop *hop);
uint64_t sender_frames_total(const struct sender *sender);
/* Whether frames are held, since the socket has no room for them: whatever leaves as a frame waits behind them. */
int sender_is_holding(const struct sender *sender);
/* The socket has room again: send what is held. 0, or less by the packets that count as sent already and are lost after all. */
int sender_go_on(struct sender *sender);
/* Which records the last sender_send had refused, since a packet of theirs is longer than their link carries: how many, at most
 * REFUSED_MAX; `indexes` gets them. */
enum { REFUSED_MAX = 64 };
uint32_t sender_refused(const struct sender *sender, uint32_t *indexes);
int sender_last_errno(const struct sender *sender);
void sender_free(struct sender *sender);

#endif
