/* A batch of segments out through raw sockets: headers written, then one sendmmsg for each family.
 *
 * A super-segment leaves as its packets: headers of their own, each before its piece of the text, which is not moved.
 *
 * A frame for which the packet socket has no room is held (hold.c), and counts as sent.
 *
 * A packet that the kernel refuses (too long for the path, no route, a filter, no buffer) is skipped: IP may lose packets, and
 * TCP sends again. The caller learns how many went out, and the last reason why one did not.
 *
 * A raw socket routes by the message's control data, not by the header in its payload: so each message carries the source address
 * there (ip(7), IP_PKTINFO; ipv6(7), IPV6_PKTINFO), or rules like `ip rule from ADDRESS lookup N` would not hold for what we send.
 */
#define _GNU_SOURCE
#include "hold.h"
#include "packet.h"
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* The source address of a message, as a control message of either family. */
union source {
    struct {
        struct cmsghdr header;
        struct in_pktinfo address;
    } v4;
    struct {
        struct cmsghdr header;
        struct in6_pktinfo address;
    } v6;
};

/* Messages that are prepared before they are sent; the packets of one batch may be more. */
enum { MESSAGES_MAX = 512 };

/* Of one message: a packet that stands in one piece, or the headers of one and its text. */
struct parts {
    struct iovec vectors[1 + TEXT_PARTS_MAX];
    uint8_t headers[FRAME_HEADERS_BYTES];
    uint32_t packets; /* that it becomes */
    uint32_t record;  /* which it is of */
};

/* Whom a message is for. */
union address {
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_ll link;
};

/* A socket and the messages prepared for it. */
struct outlet {
    int fd;
    uint32_t count;
    uint32_t sent_total; /* packets, since sender_send began */
    struct mmsghdr *messages;
    struct parts *parts;
    union address *addresses;
    union source *sources;
};

/* A stretch of the text of a record that does not stand in the arena. */
struct apart {
    uint32_t record;
    uint32_t length;
    const uint8_t *bytes;
    int fd; /* of the file that it is a window into; -1 for memory */
    uint64_t offset;
};

struct sender {
    struct outlet v4;
    struct outlet v6;
    struct outlet frames;
    struct hop *hops; /* by number; NULL while there is no socket for frames */
    uint64_t frames_total;
    struct held_frames held;
    uint8_t *arena;
    uint32_t arena_bytes;
    const struct out_record *records;
    uint32_t records_max;
    uint8_t ttl; /* time to live and hop limit of all that is sent */
    int last_errno;
    uint32_t record; /* that messages are being prepared of */
    uint32_t refused_count;
    uint32_t refused[REFUSED_MAX];
    uint32_t apart_count;
    struct apart aparts[APART_MAX]; /* by ascending record */
    uint32_t faults_count;
    uint32_t faults[APART_MAX];     /* records whose file has no more what they were to send */
    uint8_t gathered[UINT16_MAX];   /* the text of one record whose stretches must stand together after all */
};

static void source_init(union source *source, sa_family_t family, struct msghdr *message)
{
    message->msg_control = source;
    if (family == AF_INET) {
        message->msg_controllen = sizeof source->v4;
        source->v4.header = (struct cmsghdr){CMSG_LEN(sizeof source->v4.address), IPPROTO_IP, IP_PKTINFO};
    } else {
        message->msg_controllen = sizeof source->v6;
        source->v6.header = (struct cmsghdr){CMSG_LEN(sizeof source->v6.address), IPPROTO_IPV6, IPV6_PKTINFO};
    }
}

static socklen_t name_bytes(sa_family_t family)
{
    if (family == AF_PACKET)
        return sizeof(struct sockaddr_ll);
    return family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

static int outlet_init(struct outlet *outlet, int fd, sa_family_t family)
{
    outlet->fd = fd;
    outlet->messages = calloc(MESSAGES_MAX, sizeof *outlet->messages);
    outlet->parts = calloc(MESSAGES_MAX, sizeof *outlet->parts);
    outlet->addresses = calloc(MESSAGES_MAX, sizeof *outlet->addresses);
    outlet->sources = calloc(MESSAGES_MAX, sizeof *outlet->sources);
    if (!outlet->messages || !outlet->parts || !outlet->addresses || !outlet->sources)
        return 0;
    for (uint32_t i = 0; i < MESSAGES_MAX; i++) {
        struct msghdr *message = &outlet->messages[i].msg_hdr;
        outlet->addresses[i].v6.sin6_family = family;
        message->msg_name = &outlet->addresses[i];
        message->msg_namelen = name_bytes(family);
        message->msg_iov = outlet->parts[i].vectors;
        if (family != AF_PACKET)
            source_init(&outlet->sources[i], family, message);
    }
    return 1;
}

static void outlet_free(struct outlet *outlet)
{
    free(outlet->messages);
    free(outlet->parts);
    free(outlet->addresses);
    free(outlet->sources);
}

struct sender *sender_new(int fd4, int fd6, uint8_t *arena, uint32_t arena_bytes, const struct out_record *records,
                          uint32_t records_max, uint8_t ttl)
{
    struct sender *sender = calloc(1, sizeof *sender);
    if (!sender)
        return NULL;
    sender->arena = arena;
    sender->arena_bytes = arena_bytes;
    sender->records = records;
    sender->records_max = records_max;
    sender->ttl = ttl;
    if (!outlet_init(&sender->v4, fd4, AF_INET) || !outlet_init(&sender->v6, fd6, AF_INET6)) {
        sender_free(sender);
        return NULL;
    }
    return sender;
}

void sender_free(struct sender *sender)
{
    if (!sender)
        return;
    outlet_free(&sender->v4);
    outlet_free(&sender->v6);
    outlet_free(&sender->frames);
    held_clear(&sender->held);
    free(sender->hops);
    free(sender);
}

int sender_open_frames(struct sender *sender, int fd)
{
    if (!sender || !outlet_init(&sender->frames, fd, AF_PACKET))
        return -1;
    sender->hops = calloc(HOPS_MAX + 1, sizeof *sender->hops);
    return sender->hops ? 0 : -1;
}

void sender_place_hop(struct sender *sender, uint32_t number, const struct hop *hop)
{
    if (sender && sender->hops && number <= HOPS_MAX)
        sender->hops[number] = *hop;
}

uint64_t sender_frames_total(const struct sender *sender)
{
    return sender ? sender->frames_total : 0;
}

int sender_last_errno(const struct sender *sender)
{
    return sender ? sender->last_errno : EBADF;
}

static void address_ipv4(struct outlet *outlet, const uint8_t *ip)
{
    memcpy(&outlet->sources[outlet->count].v4.address.ipi_spec_dst, ip + 12, 4);
    memcpy(&outlet->addresses[outlet->count].v4.sin_addr, ip + 16, 4);
}

static void address_ipv6(struct outlet *outlet, const uint8_t *ip)
{
    union source *source = &outlet->sources[outlet->count];
    memcpy(&source->v6.address.ipi6_addr, ip + 8, 16);
    memcpy(&outlet->addresses[outlet->count].v6.sin6_addr, ip + 24, 16);
    /* A link-local source is taken only together with its interface, which we do not know. */
    const int is_link_local = IN6_IS_ADDR_LINKLOCAL(&source->v6.address.ipi6_addr);
    outlet->messages[outlet->count].msg_hdr.msg_controllen = is_link_local ? 0 : sizeof source->v6;
}

uint32_t sender_refused(const struct sender *sender, uint32_t *indexes)
{
    if (!sender)
        return 0;
    memcpy(indexes, sender->refused, sender->refused_count * sizeof *indexes);
    return sender->refused_count;
}

/* Of the packets of one super-segment, which come one after the other, the first says it all. */
static void note_refused(struct sender *sender, uint32_t record)
{
    const uint32_t count = sender->refused_count;
    if (count < REFUSED_MAX && (!count || sender->refused[count - 1] != record))
        sender->refused[sender->refused_count++] = record;
}

static void note_fault(struct sender *sender, uint32_t record)
{
    if (sender->faults_count < APART_MAX)
        sender->faults[sender->faults_count++] = record;
}

/* A copy of the text of a message that is held: of a file it is read, since nobody here may look through a window. */
static int copy_text(const struct sender *sender, const struct parts *parts, const struct iovec *text, size_t vectors, uint8_t *to)
{
    const struct apart *apart = sender->aparts, *end = sender->aparts + sender->apart_count;
    while (apart < end && apart->record != parts->record)
        apart++;
    for (size_t i = 0; i < vectors; to += text[i++].iov_len, apart++)
        if (apart >= end || apart->record != parts->record || apart->fd < 0)
            memcpy(to, text[i].iov_base, text[i].iov_len);
        else if (file_read(apart->fd, to, apart->length, apart->offset) != apart->length)
            return 0;
    return 1;
}

/* Whether a frame is held from now on. */
static int hold(struct sender *sender, uint32_t index)
{
    const struct parts *parts = &sender->frames.parts[index];
    const size_t vectors = sender->frames.messages[index].msg_hdr.msg_iovlen;
    size_t length = 0;
    for (size_t i = 0; i < vectors; i++)
        length += parts->vectors[i].iov_len;
    struct held_frame *frame = held_make(&sender->held, (uint32_t)length);
    if (!frame) {
        sender->last_errno = EAGAIN;
        return 0;
    }
    const struct iovec *headers = &parts->vectors[0];
    memcpy(frame->bytes, headers->iov_base, headers->iov_len);
    if (!copy_text(sender, parts, headers + 1, vectors - 1, frame->bytes + headers->iov_len)) {
        note_fault(sender, parts->record);
        free(frame);
        return 0;
    }
    frame->to = sender->frames.addresses[index].link;
    frame->packets = parts->packets;
    held_append(&sender->held, frame);
    return 1;
}

static void hold_from(struct sender *sender, uint32_t next)
{
    for (; next < sender->frames.count; next++)
        if (hold(sender, next))
            sender->frames.sent_total += sender->frames.parts[next].packets;
    sender->frames.count = 0;
}

int sender_is_holding(const struct sender *sender)
{
    return sender && sender->held.first;
}

int sender_go_on(struct sender *sender)
{
    return sender ? -(int)held_send(&sender->held, sender->frames.fd, &sender->last_errno) : 0;
}

/* sendmmsg stops at the first message it cannot send, and says why only when that one comes first. */
static void send_all(struct sender *sender, struct outlet *outlet)
{
    uint32_t next = 0;
    if (outlet == &sender->frames && sender->held.first)
        hold_from(sender, 0); /* behind what is held; no system call before the socket is writable */
    while (next < outlet->count) {
        const int sent = sendmmsg(outlet->fd, outlet->messages + next, outlet->count - next, MSG_DONTWAIT);
        for (int i = 0; i < sent; i++)
            outlet->sent_total += outlet->parts[next++].packets;
        if (sent <= 0 && errno == EAGAIN && outlet == &sender->frames) {
            hold_from(sender, next);
        } else if (sent <= 0 && errno != EINTR) {
            sender->last_errno = errno;
            if (errno == EMSGSIZE)
                note_refused(sender, outlet->parts[next].record);
            else if (errno == EFAULT)
                note_fault(sender, outlet->parts[next].record);
            next++;
        }
    }
    outlet->count = 0;
}

static void make_room(struct sender *sender, struct outlet *outlet)
{
    if (outlet->count == MESSAGES_MAX)
        send_all(sender, outlet);
}

/* Room for one more message to where `flow` leads. */
static struct outlet *outlet_for(struct sender *sender, int is_ipv4)
{
    struct outlet *outlet = is_ipv4 ? &sender->v4 : &sender->v6;
    make_room(sender, outlet);
    return outlet;
}

/* The message is complete but for its addresses, which its IP header has. */
static void add(struct outlet *outlet, uint32_t record, const uint8_t *ip, int is_ipv4, size_t vectors)
{
    outlet->messages[outlet->count].msg_hdr.msg_iovlen = vectors;
    outlet->parts[outlet->count].packets = 1;
    outlet->parts[outlet->count].record = record;
    if (is_ipv4)
        address_ipv4(outlet, ip);
    else
        address_ipv6(outlet, ip);
    outlet->count++;
}

static void prepare(struct sender *sender, const struct out_record *record)
{
    uint32_t start;
    const int length = packet_build(sender->arena, sender->arena_bytes, record, sender->ttl, &start);
    if (length < 0) {
        sender->last_errno = EMSGSIZE;
        return;
    }
    uint8_t *ip = sender->arena + start;
    const int is_ipv4 = ip[0] >> 4 == 4;
    struct outlet *outlet = outlet_for(sender, is_ipv4);
    outlet->parts[outlet->count].vectors[0] = (struct iovec){ip, (size_t)length};
    add(outlet, sender->record, ip, is_ipv4, 1);
}

/* The text of the record stands at its offset in `arena`. */
static void prepare_cut(struct sender *sender, const struct out_record *record, uint8_t *arena, uint32_t arena_bytes)
{
    if (!packet_can_cut(record, arena_bytes)) {
        sender->last_errno = EMSGSIZE;
        return;
    }
    const int is_ipv4 = packet_is_ipv4(record);
    uint8_t *text = arena + record->payload_offset;
    for (uint32_t at = 0; at < record->payload_length; at += record->cut_bytes) {
        const uint32_t left = record->payload_length - at, bytes = left < record->cut_bytes ? left : record->cut_bytes;
        struct outlet *outlet = outlet_for(sender, is_ipv4);
        struct parts *parts = &outlet->parts[outlet->count];
        const uint32_t headers = packet_build_piece(parts->headers, arena, record, sender->ttl, at, bytes);
        parts->vectors[0] = (struct iovec){parts->headers, headers};
        parts->vectors[1] = (struct iovec){text + at, bytes};
        add(outlet, sender->record, parts->headers, is_ipv4, 2);
    }
}

/* Whether the options and the text of a record stand in the arena. */
static int is_in_arena(const struct sender *sender, const struct out_record *record)
{
    const uint32_t behind = (uint32_t)record->options_length + record->payload_length;
    return record->payload_offset <= sender->arena_bytes && behind <= sender->arena_bytes - record->payload_offset;
}

/* Whether `count` stretches are a text that may leave as they stand. */
static int are_text(const struct out_record *record, const struct apart *aparts, uint32_t count)
{
    uint64_t length = 0;
    for (uint32_t i = 0; i < count; i++)
        length += aparts[i].length;
    return length == record->payload_length && count <= TEXT_PARTS_MAX && !record->options_length;
}

/* Whether a record leaves as a frame: it has a hop, and fits it. Its text is `count` stretches, or stands in the arena when there
 * are none. */
static int prepare_frame(struct sender *sender, const struct out_record *record, const struct apart *aparts, uint32_t count)
{
    if (!sender->hops || record->hop > HOPS_MAX || record->options_length > 40)
        return 0;
    if (count ? !are_text(record, aparts, count) : !is_in_arena(sender, record))
        return 0;
    struct outlet *outlet = &sender->frames;
    make_room(sender, outlet);
    struct parts *parts = &outlet->parts[outlet->count];
    const struct hop *hop = &sender->hops[record->hop];
    const uint32_t headers = frame_build(parts->headers, record, sender->ttl, hop);
    if (!headers)
        return 0;
    parts->vectors[0] = (struct iovec){parts->headers, headers};
    parts->vectors[1] = (struct iovec){sender->arena + record->payload_offset, (size_t)record->options_length + record->payload_length};
    for (uint32_t i = 0; i < count; i++)
        parts->vectors[1 + i] = (struct iovec){(void *)(uintptr_t)aparts[i].bytes, aparts[i].length};
    parts->packets = record->cut_bytes ? (record->payload_length + record->cut_bytes - 1u) / record->cut_bytes : 1;
    parts->record = sender->record;
    struct sockaddr_ll *address = &outlet->addresses[outlet->count].link;
    address->sll_ifindex = hop->link;
    address->sll_protocol = htons(packet_is_ipv4(record) ? ETH_P_IP : ETH_P_IPV6);
    outlet->messages[outlet->count].msg_hdr.msg_iovlen = 1 + (count ? count : 1);
    outlet->count++;
    sender->frames_total++;
    return 1;
}

int sender_add_part(struct sender *sender, uint32_t record, const uint8_t *bytes, uint32_t length, int fd, uint64_t offset)
{
    if (!sender || sender->apart_count == APART_MAX)
        return -1;
    sender->aparts[sender->apart_count++] = (struct apart){record, length, bytes, fd, offset};
    return 0;
}

int32_t sender_take_fault(struct sender *sender)
{
    return sender && sender->faults_count ? (int32_t)sender->faults[--sender->faults_count] : -1;
}

/* A super-segment in stretches that leaves as packets: each has its checksum, and may lie across two of them. */
static void prepare_gathered(struct sender *sender, const struct out_record *record, const struct apart *aparts, uint32_t count)
{
    struct out_record whole = *record;
    uint32_t length = 0;
    if (!are_text(record, aparts, count)) {
        sender->last_errno = EMSGSIZE;
        return;
    }
    for (struct outlet *outlet = &sender->v4; outlet; outlet = outlet == &sender->v4 ? &sender->v6 : NULL)
        send_all(sender, outlet); /* which may have text in there */
    for (uint32_t i = 0; i < count; length += aparts[i++].length) {
        uint8_t *to = sender->gathered + length;
        if (aparts[i].fd < 0) {
            memcpy(to, aparts[i].bytes, aparts[i].length);
        } else if (file_read(aparts[i].fd, to, aparts[i].length, aparts[i].offset) != aparts[i].length) {
            note_fault(sender, aparts[i].record);
            return;
        }
    }
    whole.payload_offset = 0;
    prepare_cut(sender, &whole, sender->gathered, sizeof sender->gathered);
}

int sender_send(struct sender *sender, uint32_t count)
{
    if (!sender)
        return 0; /* closed */
    if (count > sender->records_max)
        count = sender->records_max;
    sender->v4.sent_total = sender->v6.sent_total = sender->frames.sent_total = 0;
    sender->refused_count = 0;
    uint32_t next = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct out_record *record = &sender->records[i];
        const struct apart *aparts = &sender->aparts[next];
        uint32_t apart_count = 0;
        for (; next < sender->apart_count && sender->aparts[next].record <= i; next++)
            apart_count++;
        sender->record = i;
        if (record->hop) {
            if (prepare_frame(sender, record, aparts, apart_count))
                continue;
            send_all(sender, &sender->frames); /* what of this flow comes before it */
        }
        if (apart_count)
            prepare_gathered(sender, record, aparts, apart_count);
        else if (record->cut_bytes)
            prepare_cut(sender, record, sender->arena, sender->arena_bytes);
        else
            prepare(sender, record);
    }
    send_all(sender, &sender->v4);
    send_all(sender, &sender->v6);
    send_all(sender, &sender->frames);
    sender->apart_count = 0;
    return (int)(sender->v4.sent_total + sender->v6.sent_total + sender->frames.sent_total);
}
