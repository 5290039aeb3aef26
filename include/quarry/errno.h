/*
 * Layer: base
 * errno.h - the error numbers in use, with the field's standard values.
 */
#ifndef QUARRY_ERRNO_H
#define QUARRY_ERRNO_H

#define ENOENT 2  /* no such thing by that name */
#define EIO    5  /* the device cannot do that */
#define E2BIG  7  /* more than there is room for */
#define EAGAIN 11 /* not now; try again */
#define ENOMEM 12 /* out of memory */
#define EFAULT 14 /* the address is not mapped */
#define EBUSY  16 /* in use */
#define EEXIST 17 /* is there already */
#define EINVAL 22 /* the argument makes no sense */
#define ENOSPC 28 /* a table is full */
#define ERANGE 34 /* out of range */
#define EILSEQ 84 /* malformed input */

#endif
