/*
 * devpath.c - EFI device paths: nodes of a type, a subtype and a length, one behind the other.
 *
 * IDEA.  The variable ConOut lists the paths of all devices that firmware writes its console to.  A
 * UART among them means that what goes to the screen goes to a serial line as well.
 *
 * CONTEXT.  Any: no firmware.  A node that is too short or too long ends the walk.
 *
 * SOURCES.  UEFI Specification 2.10, sections 10.3 (nodes) and 10.3.4.15 (UART).
 */
#include "devpath.h"

#define NODE_HEADER_SIZE 4u
#define TYPE_MESSAGING   3u
#define SUBTYPE_UART     14u

QAPI bool devpath_has_uart(const uint8_t *bytes, size_t size)
{
	while (size >= NODE_HEADER_SIZE) {
		size_t node_size = bytes[2] | (size_t)bytes[3] << 8;

		if (node_size < NODE_HEADER_SIZE || node_size > size)
			return false;
		if (bytes[0] == TYPE_MESSAGING && bytes[1] == SUBTYPE_UART)
			return true;
		bytes += node_size;
		size -= node_size;
	}
	return false;
}
