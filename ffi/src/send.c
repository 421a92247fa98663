/* A batch of segments out through raw sockets: headers written, then one sendmmsg for each family.
 *
 * A packet that the kernel refuses (too long for the path, no route, a filter, no buffer) is skipped: IP may lose packets, and
 * TCP sends again. The caller learns how many went out, and the last reason why one did not.
 */
#define _GNU_SOURCE
#include "packet.h"
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* One family's socket and the messages prepared for it. */
struct outlet {
    int fd;
    uint32_t count;
    struct mmsghdr *messages;
    struct iovec *vectors;
    struct sockaddr_in6 *addresses; /* large enough for either family */
};

struct sender {
    struct outlet v4;
    struct outlet v6;
    uint8_t *arena;
    uint32_t arena_bytes;
    const struct out_record *records;
    uint32_t records_max;
    uint8_t ttl; /* time to live and hop limit of all that is sent */
    int last_errno;
};

static int outlet_init(struct outlet *outlet, int fd, sa_family_t family, uint32_t records_max)
{
    outlet->fd = fd;
    outlet->messages = calloc(records_max, sizeof *outlet->messages);
    outlet->vectors = calloc(records_max, sizeof *outlet->vectors);
    outlet->addresses = calloc(records_max, sizeof *outlet->addresses);
    if (!outlet->messages || !outlet->vectors || !outlet->addresses)
        return 0;
    for (uint32_t i = 0; i < records_max; i++) {
        struct msghdr *message = &outlet->messages[i].msg_hdr;
        outlet->addresses[i].sin6_family = family;
        message->msg_name = &outlet->addresses[i];
        message->msg_namelen = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
        message->msg_iov = &outlet->vectors[i];
        message->msg_iovlen = 1;
    }
    return 1;
}

static void outlet_free(struct outlet *outlet)
{
    free(outlet->messages);
    free(outlet->vectors);
    free(outlet->addresses);
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
    if (!outlet_init(&sender->v4, fd4, AF_INET, records_max) || !outlet_init(&sender->v6, fd6, AF_INET6, records_max)) {
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
    free(sender);
}

int sender_last_errno(const struct sender *sender)
{
    return sender ? sender->last_errno : EBADF;
}

static void prepare(struct sender *sender, const struct out_record *record)
{
    uint32_t start;
    const int length = packet_build(sender->arena, sender->arena_bytes, record, sender->ttl, &start);
    if (length < 0) {
        sender->last_errno = EMSGSIZE;
        return;
    }
    const uint8_t *ip = sender->arena + start;
    const int is_ipv4 = ip[0] >> 4 == 4;
    struct outlet *outlet = is_ipv4 ? &sender->v4 : &sender->v6;
    if (is_ipv4)
        memcpy(&((struct sockaddr_in *)&outlet->addresses[outlet->count])->sin_addr, ip + 16, 4);
    else
        memcpy(&outlet->addresses[outlet->count].sin6_addr, ip + 24, 16);
    outlet->vectors[outlet->count] = (struct iovec){(void *)ip, (size_t)length};
    outlet->count++;
}

/* sendmmsg stops at the first message it cannot send, and tells why only when that one comes first. */
static int send_all(struct outlet *outlet, int *last_errno)
{
    uint32_t next = 0;
    int sent_total = 0;
    while (next < outlet->count) {
        const int sent = sendmmsg(outlet->fd, outlet->messages + next, outlet->count - next, MSG_DONTWAIT);
        if (sent > 0) {
            sent_total += sent;
            next += (uint32_t)sent;
        } else if (errno != EINTR) {
            *last_errno = errno;
            next++;
        }
    }
    outlet->count = 0;
    return sent_total;
}

int sender_send(struct sender *sender, uint32_t count)
{
    if (!sender)
        return 0; /* closed */
    if (count > sender->records_max)
        count = sender->records_max;
    for (uint32_t i = 0; i < count; i++)
        prepare(sender, &sender->records[i]);
    return send_all(&sender->v4, &sender->last_errno) + send_all(&sender->v6, &sender->last_errno);
}
