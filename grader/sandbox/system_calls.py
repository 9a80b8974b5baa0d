"""System calls by what a worker may do with them, with their numbers on x86-64 and on aarch64 (`-`: not there).

The numbers are part of the kernel's interface and never change. The table of aarch64 has not been run yet.
"""

# What torch, NumPy and Python need: files (which ones, the view of files decides), memory, threads, clocks, waiting,
# signals of their own, and the socket that is there already.
ALLOWED = """
    read:0:63 write:1:64 readv:19:65 writev:20:66 pread64:17:67 pwrite64:18:68 preadv:295:69 pwritev:296:70
    lseek:8:62 close:3:57 close_range:436:436 fstat:5:80 stat:4:- lstat:6:-
    newfstatat:262:79 statx:332:291 access:21:- faccessat:269:48 faccessat2:439:439 readlink:89:- readlinkat:267:78
    open:2:- openat:257:56 creat:85:- getdents:78:- getdents64:217:61 getcwd:79:17 chdir:80:49 fchdir:81:50
    umask:95:166 ftruncate:77:46 fallocate:285:47 fsync:74:82 fdatasync:75:83
    sync_file_range:277:84 unlink:87:- unlinkat:263:35 rename:82:- renameat:264:38 renameat2:316:276 mkdir:83:-
    mkdirat:258:34 rmdir:84:- symlink:88:- symlinkat:266:36 link:86:- linkat:265:37 statfs:137:43 fstatfs:138:44
    sendfile:40:71 copy_file_range:326:285 mmap:9:222 mprotect:10:226 munmap:11:215 mremap:25:216 brk:12:214
    msync:26:227 mlock:149:228 munlock:150:229 futex:202:98 set_robust_list:273:99
    get_robust_list:274:100 rseq:334:293 membarrier:324:283 set_tid_address:218:96 exit:60:93 exit_group:231:94
    restart_syscall:219:128 gettid:186:178 getpid:39:172 getppid:110:173 getuid:102:174 geteuid:107:175
    getgid:104:176 getegid:108:177 getresuid:118:148 getresgid:120:150 getgroups:115:158 getpgid:121:155
    getpgrp:111:- getsid:124:156 uname:63:160 sysinfo:99:179 times:100:153 getrusage:98:165 getrlimit:97:163
    getpriority:140:141 clock_gettime:228:113 clock_getres:229:114 clock_nanosleep:230:115 gettimeofday:96:169
    time:201:- nanosleep:35:101 sched_yield:24:124 sched_getaffinity:204:123 sched_getparam:143:121
    sched_getscheduler:145:120 sched_get_priority_max:146:125 sched_get_priority_min:147:126 sched_getattr:315:275
    getcpu:309:168 wait4:61:260 waitid:247:95 poll:7:- ppoll:271:73 select:23:- pselect6:270:72 epoll_create:213:-
    epoll_create1:291:20 epoll_ctl:233:21 epoll_wait:232:- epoll_pwait:281:22 eventfd2:290:19 pipe:22:- pipe2:293:59
    dup:32:23 dup2:33:- dup3:292:24 sendto:44:206 recvfrom:45:207 sendmsg:46:211 recvmsg:47:212 shutdown:48:210
    getsockopt:55:209 setsockopt:54:208 getsockname:51:204 getpeername:52:205 rt_sigaction:13:134
    rt_sigprocmask:14:135 rt_sigreturn:15:139 rt_sigpending:127:136 rt_sigtimedwait:128:137 rt_sigsuspend:130:133
    sigaltstack:131:132 pause:34:- alarm:37:- setitimer:38:103 getitimer:36:102 getrandom:318:278 arch_prctl:158:-
    get_mempolicy:239:236 set_mempolicy:238:237 mbind:237:235
"""

# Not Landlock's business, or a mark in the page cache for the next worker, and libraries do not expect them to fail:
# success, and nothing happens.
IDLE = """
    chmod:90:- fchmod:91:52 fchmodat:268:53 fchmodat2:452:452 utime:132:- utimes:235:- futimesat:261:-
    utimensat:280:88 flock:73:32 fadvise64:221:223
"""

# As on a file system that has none: `shutil.copy2` goes on then.
WITHOUT_ATTRIBUTES = """
    listxattr:194:11 llistxattr:195:12 flistxattr:196:13 getxattr:191:8 lgetxattr:192:9 fgetxattr:193:10
    setxattr:188:5 lsetxattr:189:6 fsetxattr:190:7
"""

# As on an older kernel: libraries fall back to calls whose arguments can be looked at, and that cannot ask what of a
# file is in memory.
UNKNOWN = """
    clone3:435:435 openat2:437:437 preadv2:327:286 pwritev2:328:287
"""

# Depends on their arguments: see `grader.sandbox.seccomp`.
CHECKED = """
    clone:56:220 kill:62:129 tgkill:234:131 prlimit64:302:261 sched_setaffinity:203:122 ioctl:16:29 fcntl:72:25
    prctl:157:167 socket:41:198 madvise:28:233
"""

# What is in no list is refused. These are named for workers with a GPU, where everything else is allowed.
REFUSED = """
    truncate:76:45 fork:57:- vfork:58:- execve:59:221 execveat:322:281 ptrace:101:117 process_vm_readv:310:270
    process_vm_writev:311:271 pidfd_getfd:438:438 pidfd_send_signal:424:424 kcmp:312:272 tkill:200:130
    rt_sigqueueinfo:129:138 rt_tgsigqueueinfo:297:240 keyctl:250:219 add_key:248:217 request_key:249:218
    shmget:29:194 shmat:30:196 shmctl:31:195 msgget:68:186 msgsnd:69:189 msgrcv:70:188 msgctl:71:187 semget:64:190
    semop:65:193 semctl:66:191 semtimedop:220:192 mq_open:240:180 io_uring_setup:425:425 io_uring_enter:426:426
    io_uring_register:427:427 setpriority:141:140 ioprio_set:251:30 setrlimit:160:164 sched_setscheduler:144:119
    sched_setparam:142:118 sched_setattr:314:274 unshare:272:97 setns:308:268 mount:165:40 umount2:166:39
    pivot_root:155:41 chroot:161:51 bpf:321:280 perf_event_open:298:241 userfaultfd:323:282 socketpair:53:199
    mincore:27:232 open_by_handle_at:304:265 memfd_create:319:279 migrate_pages:256:238 move_pages:279:239
    process_madvise:440:440 vmsplice:278:75 personality:135:92
"""


def numbers(table: str, column: int) -> dict[str, int]:
    """The numbers by name; `column` 0 is x86-64, 1 is aarch64."""
    rows = [entry.split(":") for entry in table.split()]
    return {row[0]: int(row[1 + column]) for row in rows if row[1 + column] != "-"}
