/* Packets from an NFQUEUE netlink socket: one recvmmsg, one verdict for the whole batch, parsed where they lie.
 *
 * The slots that recvmmsg fills are the receive arena, so payload offsets point straight into it and nothing is copied again.
 * A packet to the accepted port gets the verdict "accept": conntrack confirms an entry only at the end of LOCAL_IN, and whoever
 * asks for that port holds a kernel socket on it that drops all in silence. Every other packet gets "drop": no kernel socket
 * stands there, and the kernel's TCP would answer it with a RST. One socket carries one queue, since packet ids count per queue.
 *
 * Source: linux/netfilter/nfnetlink_queue.h; nfnetlink_queue.c for what a verdict batch means.
 */
#define _GNU_SOURCE
#include "packet.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { NETLINK_HEADERS_BYTES = NLMSG_HDRLEN + sizeof(struct nfgenmsg) };

/* Decides all packets of the queue up to an id that are not decided yet. */
struct verdict_message {
    struct nlmsghdr header;
    struct nfgenmsg queue;
    struct nlattr attribute;
    struct nfqnl_msg_verdict_hdr verdict;
};

struct receiver {
    int fd;
    uint16_t accepted_port; /* in network order; 0 for none */
    uint8_t *arena;
    uint32_t slot_bytes;
    uint32_t slots;
    struct in_record *records;
    struct side_record *side;
    struct mmsghdr *messages;
    struct iovec *vectors;
    struct joiner *joiner;
    struct verdict_message *verdicts; /* one for each run of packets of the same verdict */
    uint32_t verdicts_due;
};

/* What one netlink message says about one packet. */
struct queued {
    int has_id;
    uint32_t id; /* in network order, as it came */
    uint32_t offset; /* of the payload in the arena */
    uint32_t length;
    uint32_t notes;
};

struct receiver *receiver_new(int fd, uint8_t *arena, uint32_t slot_bytes, uint32_t slots, struct in_record *records,
                              struct side_record *side, uint16_t accepted_port)
{
    struct receiver *receiver = calloc(1, sizeof *receiver);
    if (!receiver)
        return NULL;
    *receiver = (struct receiver){.fd = fd, .arena = arena, .slot_bytes = slot_bytes, .slots = slots, .records = records,
                                  .side = side, .accepted_port = htons(accepted_port)};
    receiver->messages = calloc(slots, sizeof *receiver->messages);
    receiver->vectors = calloc(slots, sizeof *receiver->vectors);
    receiver->verdicts = calloc(2 * (size_t)slots, sizeof *receiver->verdicts);
    receiver->joiner = joiner_new(arena, slot_bytes, records, side);
    if (!receiver->messages || !receiver->vectors || !receiver->verdicts || !receiver->joiner) {
        receiver_free(receiver);
        return NULL;
    }
    for (uint32_t slot = 0; slot < slots; slot++) {
        receiver->vectors[slot] = (struct iovec){arena + (size_t)slot * slot_bytes, slot_bytes};
        receiver->messages[slot].msg_hdr.msg_iov = &receiver->vectors[slot];
        receiver->messages[slot].msg_hdr.msg_iovlen = 1;
    }
    return receiver;
}

void receiver_free(struct receiver *receiver)
{
    if (!receiver)
        return;
    free(receiver->messages);
    free(receiver->vectors);
    free(receiver->verdicts);
    joiner_free(receiver->joiner);
    free(receiver);
}

static int is_transient(int error)
{
    return error == EAGAIN || error == EINTR || error == ENOBUFS;
}

/* Sends what is due, all in one datagram. A transient failure leaves it due: it goes with the next. 0 or a negative errno. */
static int send_verdicts(struct receiver *receiver)
{
    const size_t bytes = receiver->verdicts_due * sizeof *receiver->verdicts;
    if (bytes == 0)
        return 0;
    if (send(receiver->fd, receiver->verdicts, bytes, MSG_DONTWAIT) < 0)
        return is_transient(errno) ? 0 : -errno;
    receiver->verdicts_due = 0;
    return 0;
}

/* Ids ascend within a queue: a packet of the same verdict as the one before it only moves that one's end. */
static void note_verdict(struct receiver *receiver, uint16_t queue, uint32_t id, uint32_t verdict)
{
    struct verdict_message *last = receiver->verdicts + receiver->verdicts_due;
    if (receiver->verdicts_due && last[-1].verdict.verdict == htonl(verdict)) {
        last[-1].verdict.id = id;
        return;
    }
    *last = (struct verdict_message){
        .header = {sizeof *last, NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_VERDICT_BATCH, NLM_F_REQUEST, 0, 0},
        .queue = {AF_UNSPEC, NFNETLINK_V0, queue},
        .attribute = {NLA_HDRLEN + sizeof last->verdict, NFQA_VERDICT_HDR},
        .verdict = {htonl(verdict), id},
    };
    receiver->verdicts_due++;
}

int packet_is_accepted(const struct in_record *record, uint16_t port)
{
    return port && record->kind < IP_TOO_SHORT && memcmp(record->flow + FLOW_LOCAL_PORT, &port, sizeof port) == 0;
}

static void read_attribute(const struct nlattr *attribute, uint32_t offset, struct queued *packet)
{
    const uint8_t *value = (const uint8_t *)attribute + NLA_HDRLEN;
    const uint32_t length = attribute->nla_len - NLA_HDRLEN;
    uint32_t word = 0;
    if (length >= 4)
        memcpy(&word, value, 4);
    switch (attribute->nla_type & NLA_TYPE_MASK) {
    case NFQA_PACKET_HDR:
        packet->has_id = length >= 4;
        packet->id = word;
        break;
    case NFQA_SKB_INFO:
        if (ntohl(word) & NFQA_SKB_CSUMNOTREADY)
            packet->notes |= PACKET_CHECKSUM_NOT_READY;
        break;
    case NFQA_CAP_LEN: /* the length there was, sent only when less was copied */
        packet->notes |= PACKET_TRUNCATED;
        break;
    case NFQA_PAYLOAD:
        packet->offset = offset + NLA_HDRLEN;
        packet->length = length;
        break;
    }
}

static struct queued read_attributes(const uint8_t *arena, uint32_t offset, uint32_t end)
{
    struct queued packet = {0};
    while (end - offset >= NLA_HDRLEN) {
        const struct nlattr *attribute = (const struct nlattr *)(arena + offset);
        if (attribute->nla_len < NLA_HDRLEN || attribute->nla_len > end - offset)
            break;
        read_attribute(attribute, offset, &packet);
        const uint32_t step = NLA_ALIGN(attribute->nla_len);
        if (step > end - offset)
            break;
        offset += step;
    }
    return packet;
}

/* An error that comes back for a verdict. ENOENT only says that the packets were gone already (their device went down). */
static int read_error(const struct nlmsghdr *header, uint32_t received)
{
    const struct nlmsgerr *error = (const struct nlmsgerr *)((const uint8_t *)header + NLMSG_HDRLEN);
    if (received < NLMSG_HDRLEN + sizeof error->error)
        return 0;
    return error->error == -ENOENT ? 0 : error->error;
}

/* One datagram: 1 and a record, 0 if it brings no packet or one that was joined to another, or a negative errno. */
static int read_message(struct receiver *receiver, uint32_t slot, uint32_t index)
{
    const uint32_t offset = slot * receiver->slot_bytes, received = receiver->messages[slot].msg_len;
    const struct nlmsghdr *header = (const struct nlmsghdr *)(receiver->arena + offset);
    if (received < NLMSG_HDRLEN)
        return 0;
    if (header->nlmsg_type == NLMSG_ERROR)
        return read_error(header, received);
    if (header->nlmsg_type != (NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET) || received < NETLINK_HEADERS_BYTES)
        return 0;
    struct queued packet = read_attributes(receiver->arena, offset + NETLINK_HEADERS_BYTES, offset + received);
    if (!packet.has_id)
        return 0;
    if (receiver->messages[slot].msg_hdr.msg_flags & MSG_TRUNC)
        packet.notes |= PACKET_TRUNCATED;
    const struct nfgenmsg *queue = (const struct nfgenmsg *)((const uint8_t *)header + NLMSG_HDRLEN);
    struct in_record *record = &receiver->records[index];
    packet_parse(receiver->arena, packet.offset, packet.length, packet.notes, record, &receiver->side[index]);
    note_verdict(receiver, queue->res_id, packet.id, packet_is_accepted(record, receiver->accepted_port) ? NF_ACCEPT : NF_DROP);
    return !joiner_take(receiver->joiner, index);
}

int receiver_recv(struct receiver *receiver)
{
    if (!receiver)
        return -EBADF; /* closed */
    if (receiver->verdicts_due > receiver->slots) { /* no room for those of another batch */
        const int error = send_verdicts(receiver);
        if (error || receiver->verdicts_due)
            return error;
    }
    const int received = recvmmsg(receiver->fd, receiver->messages, receiver->slots, MSG_DONTWAIT, NULL);
    if (received < 0 && !is_transient(errno))
        return -errno;
    int count = 0;
    joiner_begin(receiver->joiner);
    for (int slot = 0; slot < received; slot++) {
        const int outcome = read_message(receiver, (uint32_t)slot, (uint32_t)count);
        if (outcome < 0)
            return outcome;
        count += outcome;
    }
    const int error = send_verdicts(receiver);
    return error ? error : count;
}
