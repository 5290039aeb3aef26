/*
 * efi_file.c - reading files of the volume that the loader was started from, in part or whole.
 *
 * IDEA.  Size first, then pages for it, then its bytes.  A file that is shorter than its directory
 * says is an error; what is longer than the caller can use is refused before memory is taken.
 *
 * STATE.  None: the volume is opened for each file.
 *
 * CONTEXT.  Boot services.
 *
 * SOURCES.  UEFI Specification 2.10, sections 13.4 (simple file system) and 13.5 (file).
 */
#include "efi_app.h"

#include "config.h"

#include <quarry/align.h>
#include <quarry/string.h>

#define INFO_SIZE (sizeof(EFI_FILE_INFO) + 2 * CONFIG_PATH_MAX) /* its name behind it */

/* Some firmware fails beyond a certain size of one read. */
#define READ_MAX 0x100000u

static EFI_STATUS open_volume(EFI_FILE_HANDLE *root)
{
	EFI_GUID image_guid = LOADED_IMAGE_PROTOCOL;
	EFI_GUID volume_guid = SIMPLE_FILE_SYSTEM_PROTOCOL;
	EFI_FILE_IO_INTERFACE *volume;
	EFI_LOADED_IMAGE *image;
	EFI_STATUS status;

	status = app.boot->HandleProtocol(app.image, &image_guid, (void **)&image);
	if (!EFI_ERROR(status))
		status = app.boot->HandleProtocol(image->DeviceHandle, &volume_guid,
						  (void **)&volume);
	if (!EFI_ERROR(status))
		status = volume->OpenVolume(volume, root);
	if (EFI_ERROR(status))
		return fail(status, "the volume it came from cannot be read: %s",
			    status_text(status));
	return EFI_SUCCESS;
}

/* @path as firmware writes it. */
static void make_path(const char *path, CHAR16 *wide)
{
	do
		*wide++ = (CHAR16)(*path == '/' ? '\\' : *path);
	while (*path++);
}

/* The size of what was opened, if that is a file. */
static EFI_STATUS get_size(struct file *file)
{
	static uint8_t buffer[INFO_SIZE] __aligned(8);
	EFI_FILE_INFO *info = (EFI_FILE_INFO *)buffer;
	EFI_GUID guid = EFI_FILE_INFO_ID;
	UINTN buffer_size = sizeof(buffer);
	EFI_STATUS status = file->handle->GetInfo(file->handle, &guid, &buffer_size, buffer);

	if (EFI_ERROR(status))
		return fail(status, "%s: %s", file->path, status_text(status));
	if (info->Attribute & EFI_FILE_DIRECTORY)
		return fail(EFI_UNSUPPORTED, "%s: is a directory", file->path);
	file->size = info->FileSize;
	return EFI_SUCCESS;
}

EFI_STATUS file_open(struct file *file, const char *path, uint64_t size_max)
{
	CHAR16 wide[CONFIG_PATH_MAX];
	EFI_FILE_HANDLE root;
	EFI_STATUS status = open_volume(&root);

	if (EFI_ERROR(status))
		return status;
	make_path(path, wide);
	file->path = path;
	status = root->Open(root, &file->handle, wide, EFI_FILE_MODE_READ, 0);
	root->Close(root);
	if (EFI_ERROR(status))
		return fail(status, "%s: %s", path, status_text(status));
	status = get_size(file);
	if (!EFI_ERROR(status) && file->size > size_max)
		status = fail(EFI_UNSUPPORTED, "%s: %llu bytes are too many, at most %llu are read",
			      path, (unsigned long long)file->size, (unsigned long long)size_max);
	if (EFI_ERROR(status))
		file_close(file);
	return status;
}

EFI_STATUS file_read_at(const struct file *file, uint64_t offset, void *to, size_t size)
{
	EFI_STATUS status = file->handle->SetPosition(file->handle, offset);
	uint8_t *at = to;

	while (size && !EFI_ERROR(status)) {
		const UINTN nr_asked = min(size, (size_t)READ_MAX);
		UINTN n = nr_asked;

		status = file->handle->Read(file->handle, &n, at);
		if (EFI_ERROR(status))
			break;
		if (!n || n > nr_asked)
			return fail(EFI_END_OF_FILE, "%s: ends before its size", file->path);
		at += n;
		size -= n;
	}
	if (EFI_ERROR(status))
		return fail(status, "%s: %s", file->path, status_text(status));
	return EFI_SUCCESS;
}

void file_close(const struct file *file)
{
	file->handle->Close(file->handle);
}

static EFI_STATUS read_all(const struct file *file, struct blob *blob)
{
	size_t size = (size_t)file->size;
	void *at;
	EFI_STATUS status = pages_alloc(file->path, EfiLoaderData, size, &at);

	if (EFI_ERROR(status))
		return status;
	*blob = (struct blob){ at, size };
	return file_read_at(file, 0, at, size);
}

EFI_STATUS file_read(const char *path, size_t size_max, struct blob *blob)
{
	struct file file;
	EFI_STATUS status = file_open(&file, path, size_max);

	if (EFI_ERROR(status))
		return status;
	status = read_all(&file, blob);
	file_close(&file);
	return status;
}
