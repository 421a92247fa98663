/* Frames that the device has not taken yet: a bounded queue of copies.
 *
 * The room of the socket bounds what stands in the queue of the device, where all of the host waits behind it; what finds none
 * waits here, until the socket is writable again. What finds none here either is lost, and TCP sends it again.
 */
#include "hold.h"
#include "packet.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

struct held_frame *held_make(const struct held_frames *held, uint32_t length)
{
    if (held->bytes + length > HELD_BYTES_MAX)
        return NULL;
    struct held_frame *frame = malloc(sizeof *frame + length);
    if (frame) {
        frame->next = NULL;
        frame->length = length;
    }
    return frame;
}

void held_append(struct held_frames *held, struct held_frame *frame)
{
    *(held->last ? &held->last->next : &held->first) = frame;
    held->last = frame;
    held->bytes += frame->length;
}

static void drop_first(struct held_frames *held)
{
    struct held_frame *frame = held->first;
    held->first = frame->next;
    held->bytes -= frame->length;
    if (!held->first)
        held->last = NULL;
    free(frame);
}

uint32_t held_send(struct held_frames *held, int fd, int *last_errno)
{
    uint32_t lost = 0;
    while (held->first) {
        const struct held_frame *frame = held->first;
        const ssize_t sent = sendto(fd, frame->bytes, frame->length, MSG_DONTWAIT, (const struct sockaddr *)&frame->to, sizeof frame->to);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && errno == EAGAIN)
            break;
        if (sent < 0) {
            *last_errno = errno;
            lost += frame->packets;
        }
        drop_first(held);
    }
    return lost;
}

void held_clear(struct held_frames *held)
{
    while (held->first)
        drop_first(held);
}
