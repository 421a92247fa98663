/* Runs gossamer with what rights over the network this container has, for a user that is not root.

       gcc -O2 -Wall -Wextra -o /usr/local/bin/gossamer deploy/with-rights.c
       setcap cap_net_admin,cap_net_raw+p /usr/local/bin/gossamer

   --cap-add gives a user that is not root a bound alone (Docker, Kubernetes): what of it is in effect comes from
   the capabilities of the file that is executed. They stand on this file and not on the interpreter, so that
   they are had by nothing but gossamer; the commands and workers that it starts inherit what is made ambient here.

   +p and not +ep: with "e", execve fails where the bound lacks one of them, and a container without rights could
   not serve over kernel sockets. Under no_new_privs a file's capabilities count for nothing, and nothing is
   raised; gossamer says then what it lacks. Podman makes what --cap-add names ambient by itself.

   Source: capabilities(7), "Transformation of capabilities during execve()" and "Safety checking for
   capability-dumb binaries"; prctl(2), PR_CAP_AMBIENT; Documentation/userspace-api/no_new_privs.rst. */

#include <linux/capability.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef PROGRAM
#define PROGRAM "/opt/gossamer/bin/gossamer"
#endif

static const unsigned RIGHTS[] = {CAP_NET_ADMIN, CAP_NET_RAW};
#define COUNT (sizeof RIGHTS / sizeof *RIGHTS)

static void raise_permitted(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
    __u32 raised = 0;

    if (syscall(SYS_capget, &header, data) < 0)
        return;
    for (unsigned i = 0; i < COUNT; i++)
        raised |= data[0].permitted & CAP_TO_MASK(RIGHTS[i]);
    data[0].effective |= raised;
    data[0].inheritable |= raised;
    if (syscall(SYS_capset, &header, data) < 0)
        return;
    for (unsigned i = 0; i < COUNT; i++)
        if (raised & CAP_TO_MASK(RIGHTS[i]))
            prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, RIGHTS[i], 0UL, 0UL);
}

int main(int argc, char **argv)
{
    (void)argc;
    raise_permitted();
    execv(PROGRAM, argv);
    perror(PROGRAM);
    return 127;
}
