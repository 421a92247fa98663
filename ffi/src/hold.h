/* Frames that the device has not taken yet, in the order in which they leave. */
#ifndef GOSSAMER_HOLD_H
#define GOSSAMER_HOLD_H
#include <linux/if_packet.h>
#include <stdint.h>

/* One frame, a copy of its octets: where what it was made of stands is used again meanwhile. */
struct held_frame {
    struct held_frame *next;
    struct sockaddr_ll to;
    uint32_t packets; /* that it becomes */
    uint32_t length;
    uint8_t bytes[];
};

struct held_frames {
    struct held_frame *first;
    struct held_frame *last;
    uint64_t bytes;
};

/* Room for one more of `length` octets; NULL where more than HELD_BYTES_MAX would be held, or there is no memory. It is the
 * caller's, to be filled and then appended, or freed. */
struct held_frame *held_make(const struct held_frames *held, uint32_t length);
void held_append(struct held_frames *held, struct held_frame *frame);
/* Send what the socket takes. How many packets were lost, since it refused their frames for good; `last_errno` says why. */
uint32_t held_send(struct held_frames *held, int fd, int *last_errno);
void held_clear(struct held_frames *held);

#endif
