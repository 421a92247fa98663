/* Frames for an AF_PACKET socket with PACKET_VNET_HDR: one for each segment, which the kernel or the device cuts into packets and
 * completes the checksums of.
 *
 * TCP's checksum field holds the sum of the pseudo-header, the IP header checksum is ours.
 * Source: packet(7); linux/virtio_net.h; the kernel's Documentation/networking/checksum-offloads.rst.
 */
#include "parse.h"
#include <linux/if_ether.h>
#include <linux/virtio_net.h>

enum { TCP_CHECKSUM_AT = 16, LONGEST_PACKET = 65535 };

static void describe(uint8_t *out, const struct out_record *record, uint32_t ip_header, uint32_t headers)
{
    struct virtio_net_hdr description = {
        .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
        .csum_start = (uint16_t)(ETH_HLEN + ip_header),
        .csum_offset = TCP_CHECKSUM_AT,
    };
    if (record->cut_bytes && record->payload_length > record->cut_bytes) {
        description.gso_type = ip_header == IPV4_HEADER_BYTES ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
        if (record->flags & FLAG_CWR) /* which the first packet alone bears then */
            description.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
        description.hdr_len = (uint16_t)(ETH_HLEN + headers);
        description.gso_size = record->cut_bytes;
    }
    memcpy(out, &description, sizeof description);
}

static void write_ethernet(uint8_t *out, const struct hop *hop, uint16_t protocol)
{
    memcpy(out, hop->destination, ETH_ALEN);
    memcpy(out + ETH_ALEN, hop->source, ETH_ALEN);
    protocol = htobe16(protocol);
    memcpy(out + 2 * ETH_ALEN, &protocol, sizeof protocol);
}

uint32_t frame_build(uint8_t *headers, const struct out_record *record, uint8_t ttl, const struct hop *hop)
{
    const uint32_t ip_header = ip_header_bytes(record), behind = (uint32_t)record->options_length + record->payload_length;
    const uint32_t cut = record->cut_bytes && record->payload_length > record->cut_bytes;
    const uint32_t packet_text = cut ? record->cut_bytes : record->payload_length;
    uint8_t *ethernet = headers + sizeof(struct virtio_net_hdr), *ip = ethernet + ETH_HLEN;
    uint64_t pseudo;
    const uint32_t length = headers_write(ip, record, ttl, behind, &pseudo);
    if (length + record->options_length + packet_text > hop->mtu || length + behind > LONGEST_PACKET)
        return 0;
    const uint16_t sum = (uint16_t)~checksum_finish(pseudo);
    memcpy(ip + ip_header + TCP_CHECKSUM_AT, &sum, sizeof sum);
    describe(headers, record, ip_header, length + record->options_length);
    write_ethernet(ethernet, hop, ip_header == IPV4_HEADER_BYTES ? ETH_P_IP : ETH_P_IPV6);
    return (uint32_t)sizeof(struct virtio_net_hdr) + ETH_HLEN + length;
}
