/* First process of the test guest: loads the modules listed in /modules, mounts the virtio disk whose serial is "root"
 * and hands over to /sbin/init. Static, so that the guest needs no initramfs tools and boots seconds sooner. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The end of init panics the kernel, and vm reports the console. */
static void fail(const char *what)
{
    fprintf(stderr, "init: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void load_modules(void)
{
    char path[256];
    FILE *list = fopen("/modules", "r");
    if (!list) fail("/modules");
    while (fgets(path, sizeof path, list)) {
        path[strcspn(path, "\n")] = 0;
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST)) fail(path);
        close(fd);
    }
    fclose(list);
}

/* Writes the root disk's device name into `device`; 0 while there is none. */
static int find_root(char *device, size_t size)
{
    struct dirent *entry;
    int found = 0;
    DIR *blocks = opendir("/sys/block");
    if (!blocks) return 0;
    while (!found && (entry = readdir(blocks))) {
        char path[300], serial[32] = "";
        snprintf(path, sizeof path, "/sys/block/%s/serial", entry->d_name);
        int fd = open(path, O_RDONLY);
        if (fd < 0) continue;
        found = read(fd, serial, sizeof serial - 1) > 0 && strncmp(serial, "root", 4) == 0;
        if (found) snprintf(device, size, "/dev/%s", entry->d_name);
        close(fd);
    }
    closedir(blocks);
    return found;
}

int main(void)
{
    char device[300];
    mkdir("/dev", 0755);
    mkdir("/proc", 0755);
    mkdir("/sys", 0755);
    mkdir("/root", 0755);
    if (mount("devtmpfs", "/dev", "devtmpfs", MS_NOSUID, "mode=0755")) fail("/dev");
    int console = open("/dev/console", O_RDWR);
    for (int fd = 0; console >= 0 && fd < 3; fd++) dup2(console, fd);
    if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, 0)) fail("/proc");
    if (mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, 0)) fail("/sys");
    load_modules();
    for (int tries = 0; !find_root(device, sizeof device); tries++) {
        if (tries == 1000) fail("no virtio disk with serial \"root\"");
        usleep(10000);
    }
    if (mount(device, "/root", "ext4", MS_NOATIME, 0)) fail("root file system");
    if (mount("/dev", "/root/dev", 0, MS_MOVE, 0) || mount("/proc", "/root/proc", 0, MS_MOVE, 0) ||
        mount("/sys", "/root/sys", 0, MS_MOVE, 0) || chdir("/root") || mount(".", "/", 0, MS_MOVE, 0) ||
        chroot(".") || chdir("/")) fail("change of root");
    execl("/sbin/init", "/sbin/init", (char *)0);
    fail("/sbin/init");
}
