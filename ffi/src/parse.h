/* What the parsers share: unaligned big-endian loads, and the cursor that is handed down from IP to TCP and ICMP. */
#ifndef GOSSAMER_PARSE_H
#define GOSSAMER_PARSE_H
#include "packet.h"
#include <endian.h>
#include <string.h>

enum { IPV4_HEADER_BYTES = 20, IPV6_HEADER_BYTES = 40, TCP_HEADER_BYTES = 20, ICMP_HEADER_BYTES = 8 };
enum { NEXT_HOP_BY_HOP = 0, NEXT_ICMP = 1, NEXT_TCP = 6, NEXT_ROUTING = 43, NEXT_FRAGMENT = 44, NEXT_ICMPV6 = 58,
       NEXT_DESTINATION = 60 };
enum { OPTION_END = 0, OPTION_NOP = 1, OPTION_MSS = 2, OPTION_WINDOW_SCALE = 3, OPTION_SACK_PERMITTED = 4,
       OPTION_SACK = 5, OPTION_TIMESTAMP = 8, OPTION_USER_TIMEOUT = 28, OPTION_FAST_OPEN = 34, OPTION_ECN_BYTES_0 = 172,
       OPTION_ECN_BYTES_1 = 174, OPTION_EXPERIMENT = 254 };
enum { FLAG_FIN = 0x01, FLAG_SYN = 0x02, FLAG_PSH = 0x08, FLAG_ACK = 0x10, FLAG_URG = 0x20, FLAG_CWR = 0x80 };
enum { ECN_MASK = 3, ECN_CE = 3 };

/* The upper layer of a packet whose IP header was found good. */
struct upper {
    const uint8_t *bytes;
    uint32_t length;
    uint32_t offset;      /* of bytes in the arena */
    const uint8_t *source;
    const uint8_t *destination;
    uint32_t address_bytes;
    uint8_t ecn;
    int checksum_not_ready;
};

static inline uint16_t load16(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static inline uint32_t load32(const uint8_t *bytes)
{
    uint32_t word;
    memcpy(&word, bytes, sizeof word);
    return be32toh(word);
}

/* What an IPv4 address in its IPv6 form begins with (RFC 4291 2.5.5.2). */
static const uint8_t MAPPED_PREFIX[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static inline int is_mapped(const uint8_t *address)
{
    return !memcmp(address, MAPPED_PREFIX, sizeof MAPPED_PREFIX);
}

/* An address as a flow holds it: 16 bytes, IPv4 in its mapped form. */
static inline void put_address(uint8_t *out, const uint8_t *address, uint32_t address_bytes)
{
    if (address_bytes == 4) {
        memcpy(out, MAPPED_PREFIX, 12);
        memcpy(out + 12, address, 4);
    } else {
        memcpy(out, address, 16);
    }
}

/* build.c: the IP and TCP headers of a record, up to its options, and how much stands behind them, but for TCP's checksum, for which
 * `pseudo` gets the sum of the pseudo-header. Returns their length. */
uint32_t headers_write(uint8_t *ip, const struct out_record *record, uint8_t ttl, uint32_t behind, uint64_t *pseudo);
uint32_t ip_header_bytes(const struct out_record *record);

/* upper.c: multicast, broadcast, unspecified; and IPv4-mapped on an IPv6 wire, which would be taken for another flow's IPv4. */
int is_bad_address(const uint8_t *address, uint32_t address_bytes);

/* What the pseudo-header, for an upper layer of `length` bytes, adds to its checksum. RFC 9293 3.1, RFC 8200 8.1. */
uint64_t pseudo_header_sum(const struct upper *upper, uint8_t protocol);

/* The checksum over pseudo-header and upper layer; 0 when it is right. */
uint16_t upper_checksum(const struct upper *upper, uint8_t protocol);

/* parse_tcp.c and parse_icmp.c: called by parse_ip.c, and by nobody below it. */
int parse_tcp(const struct upper *upper, struct in_record *record, struct side_record *side);
int parse_icmp(const struct upper *upper, struct in_record *record);

#endif
