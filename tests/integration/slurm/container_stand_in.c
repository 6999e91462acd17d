/*
 * A stand-in for pyxis on a test cluster: Debian packages no container plugin for Slurm.
 *
 * It takes pyxis's options, gives a task the mounts that it asks for in a file tree of its own, and puts the programs of an
 * "image" first on PATH. An image is a line of the map file: its name, a space, and the directory of its programs ("-" for none).
 * Any other image fails as an import would. What it does not show: images, registries, root in a container, GPUs.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <slurm/spank.h>

SPANK_PLUGIN(quantgate_container_stand_in, 1);

#define ROOT_BYTES 256
#define PATH_BYTES 4096

static char *image;
static char *mounts;

static int keep_image(int val, const char *value, int remote) {
    (void)val, (void)remote;
    free(image);
    image = value ? strdup(value) : NULL;
    return ESPANK_SUCCESS;
}

static int keep_mounts(int val, const char *value, int remote) {
    (void)val, (void)remote;
    free(mounts);
    mounts = value ? strdup(value) : NULL;
    return ESPANK_SUCCESS;
}

static int ignored(int val, const char *value, int remote) {
    (void)val, (void)value, (void)remote;
    return ESPANK_SUCCESS;
}

#define TAKES(name, handler) {name, "VALUE", "of the stand-in for pyxis", 1, 0, handler}
#define FLAG(name) {name, NULL, "of the stand-in for pyxis, ignored", 0, 0, ignored}

static struct spank_option options[] = {
    TAKES("container-image", keep_image),
    TAKES("container-mounts", keep_mounts),
    TAKES("container-env", ignored),
    TAKES("container-name", ignored),
    TAKES("container-workdir", ignored),
    TAKES("container-save", ignored),
    FLAG("container-mount-home"),
    FLAG("no-container-mount-home"),
    FLAG("container-remap-root"),
    FLAG("no-container-remap-root"),
    FLAG("container-entrypoint"),
    FLAG("no-container-entrypoint"),
    FLAG("container-writable"),
    FLAG("container-readonly"),
};

int slurm_spank_init(spank_t spank, int ac, char *argv[]) {
    (void)ac, (void)argv;
    if (spank_context() == S_CTX_SLURMD) {
        return ESPANK_SUCCESS;
    }
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        if (spank_option_register(spank, &options[i]) != ESPANK_SUCCESS) {
            return -1;
        }
    }
    return ESPANK_SUCCESS;
}

/* The directory of an image's programs; 0 when the map knows the image. */
static int programs_of(const char *map, char *found) {
    char line[PATH_BYTES];
    FILE *file = fopen(map, "r");
    if (!file) {
        return -1;
    }
    while (fgets(line, sizeof line, file)) {
        char *space = strchr(line, ' ');
        if (!space) {
            continue;
        }
        *space = '\0';
        if (strcmp(line, image) == 0) {
            snprintf(found, PATH_BYTES, "%s", space + 1);
            found[strcspn(found, "\n")] = '\0';
            fclose(file);
            return 0;
        }
    }
    fclose(file);
    return -1;
}

static int write_file(const char *path, const char *text) {
    int fd = open(path, O_WRONLY);
    if (fd < 0) {
        return -1;
    }
    ssize_t done = write(fd, text, strlen(text));
    close(fd);
    return done < 0 ? -1 : 0;
}

static int own_namespaces(void) {
    char text[64];
    uid_t uid = getuid();
    gid_t gid = getgid();
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) {
        return -1;
    }
    write_file("/proc/self/setgroups", "deny");
    snprintf(text, sizeof text, "%d %d 1", (int)uid, (int)uid);
    if (write_file("/proc/self/uid_map", text) != 0) {
        return -1;
    }
    snprintf(text, sizeof text, "%d %d 1", (int)gid, (int)gid);
    return write_file("/proc/self/gid_map", text);
}

/* The host's tree again below `root`, on a file system that takes new mount points. */
static int copy_tree(const char *root) {
    char from[PATH_BYTES], to[PATH_BYTES], target[PATH_BYTES];
    struct dirent *entry;
    DIR *top = opendir("/");
    if (!top || mount("none", root, "tmpfs", 0, "mode=0755") != 0) {
        return -1;
    }
    while ((entry = readdir(top))) {
        struct stat info;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        snprintf(from, sizeof from, "/%s", entry->d_name);
        snprintf(to, sizeof to, "%s/%s", root, entry->d_name);
        if (lstat(from, &info) != 0) {
            continue;
        }
        if (S_ISLNK(info.st_mode)) {
            ssize_t length = readlink(from, target, sizeof target - 1);
            if (length > 0) {
                target[length] = '\0';
                (void)!symlink(target, to);
            }
        } else if (S_ISDIR(info.st_mode)) {
            mkdir(to, 0755);
            mount(from, to, NULL, MS_BIND | MS_REC, NULL);
        }
    }
    closedir(top);
    return 0;
}

static void make_parents(char *path) {
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0755);
        *slash = '/';
    }
}

/* One HOST:CONTAINER[:FLAGS] of --container-mounts. */
static int mount_one(const char *root, char *wanted) {
    char to[PATH_BYTES];
    struct stat info;
    char *inside = strchr(wanted, ':');
    if (!inside) {
        return -1;
    }
    *inside++ = '\0';
    inside[strcspn(inside, ":")] = '\0';
    snprintf(to, sizeof to, "%s%s", root, inside);
    if (stat(wanted, &info) != 0) {
        slurm_error("container: cannot mount %s: %s", wanted, strerror(errno));
        return -1;
    }
    make_parents(to);
    if (S_ISDIR(info.st_mode)) {
        mkdir(to, 0755);
    } else {
        int fd = open(to, O_CREAT | O_WRONLY, 0644);
        if (fd >= 0) {
            close(fd);
        }
    }
    if (mount(wanted, to, NULL, MS_BIND | MS_REC, NULL) != 0) {
        slurm_error("container: cannot mount %s at %s: %s", wanted, inside, strerror(errno));
        return -1;
    }
    return 0;
}

static int enter(void) {
    char root[ROOT_BYTES] = "/tmp/container-XXXXXX";
    char where[PATH_BYTES];
    if (!getcwd(where, sizeof where)) {
        snprintf(where, sizeof where, "/");
    }
    if (!mkdtemp(root) || own_namespaces() != 0 || copy_tree(root) != 0) {
        slurm_error("container: cannot make a file tree: %s", strerror(errno));
        return -1;
    }
    if (mounts) {
        char *copy = strdup(mounts), *rest = NULL;
        for (char *one = strtok_r(copy, ",", &rest); one; one = strtok_r(NULL, ",", &rest)) {
            if (mount_one(root, one) != 0) {
                free(copy);
                return -1;
            }
        }
        free(copy);
    }
    if (chroot(root) != 0) {
        slurm_error("container: chroot: %s", strerror(errno));
        return -1;
    }
    return chdir(where) == 0 ? 0 : chdir("/");
}

int slurm_spank_task_init(spank_t spank, int ac, char *argv[]) {
    char programs[PATH_BYTES], path[PATH_BYTES], joined[2 * PATH_BYTES];
    if (!image || ac < 1) {
        return ESPANK_SUCCESS;
    }
    if (programs_of(argv[0], programs) != 0) {
        slurm_error("pyxis: failed to import docker image: %s", image);
        return -1;
    }
    if (enter() != 0) {
        return -1;
    }
    if (strcmp(programs, "-") != 0 && spank_getenv(spank, "PATH", path, sizeof path) == ESPANK_SUCCESS) {
        snprintf(joined, sizeof joined, "%s:%s", programs, path);
        spank_setenv(spank, "PATH", joined, 1);
    }
    return ESPANK_SUCCESS;
}
