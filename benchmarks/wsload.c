/* wsload: a WebSocket load generator, one process, one thread (epoll). It is the measuring instrument: fast enough that
 * the server, not the client, is what gets measured. Linux.
 *
 *   cc -O2 -o wsload wsload.c
 *   wsload key=value …        (all keys and their defaults: `settings` below)
 *
 * It opens `connections`, sends each one's `init` after the upgrade, and waits until every connection has received
 * `need` answers: frames without a stamp that hold `mark` (the ack of a join …). Then it prints {"ready": …}. The first `senders`
 * connections repeat `message`, each keeping `inflight` of them without their own echo, or one every `pace` microseconds.
 * After `warmup` seconds it counts for `seconds`, prints one line of JSON and ends. Without senders it only holds the
 * connections, answers pings, and counts the ones that the server dropped.
 *
 * In `path`, `init` and `message`: %I the connection's index, %R its room (index / room_size), %K one of its `own_rooms`
 * rooms in turn, %N the number of the message, %T a stamp in microseconds (15 digits), %P `pad` bytes. `init` may be several
 * frames, with \x1e between them; where it holds %K it is sent once for each of the connection's rooms.
 * %J is one of the lines of the file `tokens`. `header` is one more header of the handshake.
 * An event is recognised by "T=<stamp>;I=<index>;" inside the text, so `message` must carry T=%T;I=%I; somewhere.
 *
 * `pid` or `pids` (a comma between): the server's processes, whose processor time is counted. `lines=1`: a frame has one message a line,
 * as Centrifugo sends them. `wait=ack`: a sender goes on at its ack (`ackmark`, else `mark`) instead of at its own event. `check=1`: every
 * event must come to everybody once and in the order in which each sender wrote it (N=%N in `message`), and `seqkey` must rise by one. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/resource.h>
#include <dirent.h>
#include <time.h>
#include <unistd.h>

typedef struct {
    int fd, index, upgraded, outstanding, closed;
    long number, replies;
    uint64_t next_at;
    int *expect; /* check: the next number of each sender */
    long seq, got;
    char *in, *out;
    size_t in_size, in_room, out_size, out_room;
} Connection;

static struct { const char *key, *value; } settings[] = {
    {"host", "127.0.0.1"}, {"port", "8000"}, {"path", "/"}, {"connections", "1"}, {"senders", "0"}, {"inflight", "1"},
    {"pace", "0"}, {"warmup", "1"}, {"seconds", "3"}, {"pad", "100"}, {"init", ""}, {"message", "T=%T;I=%I;%P"}, {"need", "0"}, {"mark", ""},
    {"room_size", "1"}, {"own_rooms", "1"}, {"pid", "0"}, {"patience", "150"}, {"opening", "50"},
    {"lines", "0"}, {"wait", "echo"}, {"check", "0"}, {"seqkey", "\"seq\":"}, {"tokens", ""}, {"header", ""}, {"pids", ""}, {"ackmark", ""},
};
enum { KEYS = sizeof settings / sizeof *settings, SAMPLES = 1 << 20, CHUNK = 1 << 20 };

static const char *path, *init, *message, *mark, *seqkey, *ackmark;
static int lines, wait_ack, check;
static long order_errors, seq_errors, all_events, all_acks, acks, total_said;
static char **tokens; static int token_count;
static int port, connections, senders, inflight, pad, need, room_size, own_rooms, epoll, measuring, dropped;
static uint64_t pace;
static char chunk[CHUNK], text[CHUNK], padding[CHUNK];
static long deliveries, replies, bytes, sent, ready, sample_every = 1;
static uint32_t samples[SAMPLES];
static long sampled;

static const char *setting(const char *key) {
    for (int i = 0; i < KEYS; i++)
        if (!strcmp(settings[i].key, key)) return settings[i].value;
    abort();
}

static uint64_t now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "wsload: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    exit(1);
}

/* Processor time so far of these processes (comma between), all threads, in microseconds, from schedstat (ns). */
static uint64_t cpu_us(const char *pids) {
    uint64_t sum = 0;
    for (const char *p = pids; *p; ) {
        char name[64], file[400];
        int pid = atoi(p);
        snprintf(name, sizeof name, "/proc/%d/task", pid);
        DIR *dir = opendir(name);
        if (!dir) fail("the server (process %d) is gone", pid);
        for (struct dirent *e; (e = readdir(dir)); ) {
            if (*e->d_name == '.') continue;
            snprintf(file, sizeof file, "%s/%s/schedstat", name, e->d_name);
            FILE *f = fopen(file, "r");
            unsigned long long ns = 0;
            if (f) { if (fscanf(f, "%llu", &ns) == 1) sum += ns / 1000; fclose(f); }
        }
        closedir(dir);
        p = strchr(p, ','); if (!p) break; p++;
    }
    return sum;
}
static uint64_t machine_us(void) { /* all cores: user nice system irq softirq steal */
    unsigned long long u = 0, n = 0, y = 0, i = 0, w = 0, q = 0, r = 0, t = 0;
    FILE *f = fopen("/proc/stat", "r");
    if (!f || fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &u, &n, &y, &i, &w, &q, &r, &t) != 8) return 0;
    fclose(f);
    return (u + n + y + q + r + t) * 1000000 / sysconf(_SC_CLK_TCK);
}
static uint64_t own_cpu_us(void) {
    struct rusage r; getrusage(RUSAGE_SELF, &r);
    return (uint64_t)r.ru_utime.tv_sec * 1000000 + r.ru_utime.tv_usec + (uint64_t)r.ru_stime.tv_sec * 1000000 + r.ru_stime.tv_usec;
}

/* ---- templates and frames ---- */

static size_t fill(char *to, const char *template, Connection *c, long room) {
    char *at = to;
    for (const char *t = template; *t; t++) {
        if (*t != '%' || !t[1]) { *at++ = *t; continue; }
        switch (*++t) {
            case 'I': at += sprintf(at, "%d", c->index); break;
            case 'R': at += sprintf(at, "%d", c->index / room_size); break;
            case 'K': at += sprintf(at, "%ld", (long)c->index * own_rooms + room); break;
            case 'N': at += sprintf(at, "%ld", c->number); break;
            case 'T': at += sprintf(at, "%015llu", (unsigned long long)now_us()); break;
            case 'J': if (token_count) { const char *j = tokens[c->index % token_count]; size_t l = strlen(j); memcpy(at, j, l); at += l; } break;
            case 'P': memcpy(at, padding, pad); at += pad; break;
            default: *at++ = '%'; *at++ = *t;
        }
    }
    return at - to;
}

static void want(Connection *c, uint32_t events) {
    struct epoll_event event = {events, {.ptr = c}};
    epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &event);
}

static void drop(Connection *c) {
    if (c->closed) return;
    if (senders) fail("connection %d was dropped by the server", c->index);
    c->closed = 1;
    dropped++;
    close(c->fd);
}

static void flush(Connection *c) {
    size_t done = 0;
    while (done < c->out_size) {
        ssize_t n = send(c->fd, c->out + done, c->out_size - done, MSG_NOSIGNAL);
        if (n > 0) { done += n; continue; }
        if (errno != EAGAIN) { drop(c); return; }
        memmove(c->out, c->out + done, c->out_size -= done);
        want(c, EPOLLIN | EPOLLOUT);
        return;
    }
    c->out_size = 0;
}

static void put(Connection *c, const void *data, size_t size) {
    if (c->out_size + size > c->out_room) c->out = realloc(c->out, c->out_room = (c->out_size + size) * 2);
    memcpy(c->out + c->out_size, data, size);
    c->out_size += size;
}

/* Masked with zeros, which costs the server the same as any other key. */
static void put_frame(Connection *c, int opcode, const char *payload, size_t size) {
    unsigned char head[14] = {0x80 | opcode};
    size_t at = 2;
    if (size < 126) head[1] = 0x80 | size;
    else if (size < 65536) { head[1] = 0x80 | 126; head[at++] = size >> 8; head[at++] = size; }
    else { head[1] = 0x80 | 127; for (int i = 7; i >= 0; i--) head[at++] = (uint64_t)size >> 8 * i; }
    memset(head + at, 0, 4);
    put(c, head, at + 4);
    put(c, payload, size);
}

static void put_init(Connection *c) {
    int times = strstr(init, "%K") ? own_rooms : *init ? 1 : 0;
    for (int room = 0; room < times; room++) {
        char *at = text, *end = text + fill(text, init, c, room);
        while (at < end) {
            char *stop = memchr(at, '\x1e', end - at);
            if (!stop) stop = end;
            put_frame(c, 1, at, stop - at);
            at = stop + 1;
        }
        c->number++;
    }
    flush(c);
}

static void say(Connection *c) {
    size_t size = fill(text, message, c, c->number % own_rooms);
    c->number++;
    c->outstanding++;
    sent++;
    total_said++;
    put_frame(c, 1, text, size);
}

/* ---- what comes ---- */

static void take_event(Connection *c, const char *stamp, const char *end) {
    const char *from = memmem(stamp, end - stamp, "I=", 2);
    all_events++;
    int who = from ? atoi(from + 2) : -1;
    if (!wait_ack && who == c->index) c->outstanding--;
    if (check) {
        const char *n = memmem(stamp, end - stamp, "N=", 2);
        if (who >= 0 && who < senders && n) {
            if (!c->expect) { c->expect = calloc(senders, sizeof(int)); if (*init) for (int i = 0; i < senders; i++) c->expect[i] = 1; }
            if (atoi(n + 2) != c->expect[who]) order_errors++;
            c->expect[who] = atoi(n + 2) + 1;
        } else order_errors++;
        c->got++;
    }
    if (!measuring) return;
    if (deliveries++ % sample_every == 0 && sampled < SAMPLES) samples[sampled++] = now_us() - strtoull(stamp + 2, NULL, 10);
}

static void take_message(Connection *c, const char *payload, size_t size) {
    const char *end = payload + size, *stamp = memmem(payload, size, "T=", 2);
    if (!stamp) {
        if (lines && size == 2 && payload[0] == '{') { put_frame(c, 1, "{}", 2); flush(c); return; } /* a ping of Centrifugo's */
        if (measuring) replies++;
        if (memmem(payload, size < 200 ? size : 200, "\"error\"", 7)) fail("the server said: %.*s", (int)size, payload);
        if (c->replies < need) {
            if (memmem(payload, size, mark, strlen(mark)) && ++c->replies == need) ready++;
        } else if (memmem(payload, size, ackmark, strlen(ackmark))) {
            all_acks++;
            if (wait_ack) c->outstanding--;
            if (measuring) acks++;
        }
        return;
    }
    if (check && *seqkey) {
        const char *q = memmem(payload, size, seqkey, strlen(seqkey));
        if (q) { long n = atol(q + strlen(seqkey)); if (c->seq && n != c->seq + 1) seq_errors++; c->seq = n; } else seq_errors++;
    }
    take_event(c, stamp, end); /* one message has one stamp */
}

static void take_frame(Connection *c, int opcode, const char *payload, size_t size) {
    if (opcode == 9) { put_frame(c, 10, payload, size); flush(c); return; }
    if (opcode == 10) return;
    if (opcode == 8) {
        if (senders) fail("connection %d was closed: %.*s", c->index, size > 2 ? (int)size - 2 : 0, payload + 2);
        drop(c);
        return;
    }
    if (size == 1 && *payload == '2') { put_frame(c, 1, "3", 1); flush(c); return; } /* a ping of Engine.IO's */
    if (measuring) bytes += size;
    if (!lines) { take_message(c, payload, size); return; }
    for (const char *at = payload, *end = payload + size; at < end; ) {
        const char *stop = memchr(at, '\n', end - at);
        if (!stop) stop = end;
        if (stop > at) take_message(c, at, stop - at);
        at = stop + 1;
    }
}

static size_t take_handshake(Connection *c) {
    char *end = memmem(c->in, c->in_size, "\r\n\r\n", 4);
    if (!end) return 0;
    if (strncmp(c->in + 9, "101", 3)) fail("no handshake: %.*s", (int)(end - c->in), c->in);
    c->upgraded = 1;
    if (!need) ready++;
    put_init(c);
    return end + 4 - c->in;
}

/* Whole frames from here; returns how much of it they were. */
static size_t take_frames(Connection *c, char *data, size_t have) {
    size_t at = 0;
    while (have - at >= 2 && !c->closed) {
        unsigned char *head = (unsigned char *)data + at;
        uint64_t size = head[1] & 127;
        size_t start = 2;
        if (size == 126) start = 4; else if (size == 127) start = 10;
        if (have - at < start) break;
        if (start > 2) for (size = 0, start = 2; start < (head[1] == 126 ? 4 : 10); start++) size = size << 8 | head[start];
        if (have - at < start + size) break;
        take_frame(c, head[0] & 15, (char *)head + start, size);
        at += start + size;
    }
    return at;
}

static void keep(Connection *c, const char *data, size_t n) {
    if (c->in_size + n > c->in_room) c->in = realloc(c->in, c->in_room = c->in_size + n);
    memcpy(c->in + c->in_size, data, n);
    c->in_size += n;
}

static void receive(Connection *c) {
    ssize_t n = recv(c->fd, chunk, CHUNK, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) { drop(c); return; }
    if (c->upgraded && !c->in_size) { /* most of the time: nothing is copied */
        size_t done = take_frames(c, chunk, n);
        if (done < (size_t)n && !c->closed) keep(c, chunk + done, n - done);
        return;
    }
    keep(c, chunk, n);
    size_t at = 0;
    if (c->upgraded || (at = take_handshake(c))) {
        at += take_frames(c, c->in + at, c->in_size - at);
        memmove(c->in, c->in + at, c->in_size - at);
        c->in_size -= at;
    }
    if (!c->in_size && c->in_room > 16384) { free(c->in); c->in = NULL; c->in_room = 0; }
}

static void open_one(Connection *c, int index) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {inet_addr(setting("host"))}};
    int one = 1;
    c->index = index;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0 || connect(c->fd, (void *)&address, sizeof address)) fail("cannot connect: %s", strerror(errno));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event event = {EPOLLIN, {.ptr = c}};
    epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event);
    char where[2048], request[8192], extra[4096];
    where[fill(where, path, c, 0)] = 0;
    extra[fill(extra, setting("header"), c, 0)] = 0;
    int size = snprintf(request, sizeof request,
        "GET %s HTTP/1.1\r\nHost: %s:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s%s\r\n", where, setting("host"), port, extra, *extra ? "\r\n" : "");
    put(c, request, size);
    flush(c);
}

/* ---- the run ---- */

static int silent;
static void speak(Connection *c, uint64_t now) {
    int before = c->outstanding;
    if (silent) return;
    if (pace) {
        if (now < c->next_at) return;
        c->next_at += pace;
        if (c->next_at < now) c->next_at = now + pace;
        if (!before) say(c);
    } else
        while (c->outstanding < inflight) say(c);
    if (c->outstanding != before) flush(c);
}

static void turn(Connection *all, int speaking, int wait_ms) {
    static struct epoll_event events[1024];
    int n = epoll_wait(epoll, events, 1024, wait_ms);
    for (int i = 0; i < n; i++) {
        Connection *c = events[i].data.ptr;
        if (c->closed) continue;
        if (events[i].events & EPOLLOUT) { want(c, EPOLLIN); flush(c); }
        if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) receive(c);
        if (speaking && !pace && c->index < senders && !c->closed) speak(c, 0);
    }
    if (speaking && pace)
        for (int i = 0; i < senders; i++) speak(&all[i], now_us());
}

static void connect_all(Connection *all) {
    uint64_t start = now_us(), patience = atof(setting("patience")) * 1e6;
    int opened = 0, opening = atoi(setting("opening"));
    while (ready < connections) {
        while (opened < connections && opened - ready < opening) { open_one(&all[opened], opened); opened++; }
        turn(all, 0, 100);
        if (now_us() - start > patience) fail("only %ld of %d connections were ready in time", ready, connections);
    }
    printf("{\"ready\": %d, \"seconds\": %.3f}\n", connections, (now_us() - start) / 1e6);
    fflush(stdout);
}

static int ascending(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void run_until(Connection *all, uint64_t end) {
    while (now_us() < end) turn(all, senders > 0, senders && pace ? 1 : 100);
}

int main(int count, char **arguments) {
    for (int i = 1; i < count; i++) {
        char *value = strchr(arguments[i], '=');
        int known = 0;
        for (int k = 0; value && k < KEYS; k++)
            if (!strncmp(settings[k].key, arguments[i], value - arguments[i]) && !settings[k].key[value - arguments[i]])
                settings[k].value = value + 1, known = 1;
        if (!known) fail("what is %s?", arguments[i]);
    }
    port = atoi(setting("port")), path = setting("path"), init = setting("init"), message = setting("message"), mark = setting("mark");
    connections = atoi(setting("connections")), senders = atoi(setting("senders")), inflight = atoi(setting("inflight"));
    pace = atol(setting("pace")), pad = atoi(setting("pad")), need = atoi(setting("need"));
    room_size = atoi(setting("room_size")), own_rooms = atoi(setting("own_rooms"));
    if (!pace) sample_every = 32; /* enough, and it keeps the clock out of the way */
    if (senders > connections) senders = connections;
    const char *pid = *setting("pids") ? setting("pids") : strcmp(setting("pid"), "0") ? setting("pid") : "";
    ackmark = *setting("ackmark") ? setting("ackmark") : mark;
    seqkey = setting("seqkey"), lines = atoi(setting("lines")), wait_ack = !strcmp(setting("wait"), "ack"), check = atoi(setting("check"));
    if (*setting("tokens")) {
        FILE *f = fopen(setting("tokens"), "r"); char line[4096];
        if (!f) fail("no tokens");
        while (fgets(line, sizeof line, f)) { line[strcspn(line, "\n")] = 0; tokens = realloc(tokens, (token_count + 1) * sizeof *tokens); tokens[token_count++] = strdup(line); }
        fclose(f);
    }
    memset(padding, 'x', sizeof padding);
    epoll = epoll_create1(0);
    Connection *all = calloc(connections, sizeof *all);

    connect_all(all);
    for (int i = 0; i < senders; i++) all[i].next_at = now_us() + pace * i / senders;
    for (int i = 0; i < senders; i++) speak(&all[i], now_us());
    run_until(all, now_us() + (uint64_t)(atof(setting("warmup")) * 1e6));
    measuring = 1;
    sent = 0;
    uint64_t start = now_us(), cpu = cpu_us(pid), own = own_cpu_us(), machine = machine_us();
    run_until(all, start + (uint64_t)(atof(setting("seconds")) * 1e6));
    double seconds = (now_us() - start) / 1e6;
    cpu = cpu_us(pid) - cpu;
    own = own_cpu_us() - own;
    machine = machine_us() - machine;
    measuring = 0;
    long lost = 0;
    if (check) { /* nobody says more; everybody gets the rest */
        silent = 1;
        long want_all = 0;
        for (uint64_t stop = now_us() + 10000000; now_us() < stop; ) {
            turn(all, 0, 50);
            want_all = 0;
            for (int i = 0; i < connections; i++) want_all += total_said; /* one room */
            if (all_events >= want_all) { uint64_t t = now_us() + 200000; while (now_us() < t) turn(all, 0, 50); break; }
        }
        lost = want_all - all_events;
    }
    qsort(samples, sampled, sizeof *samples, ascending);
    printf("{\"seconds\": %.3f, \"deliveries\": %ld, \"sent\": %ld, \"replies\": %ld, \"acks\": %ld, \"bytes\": %ld, \"p50_us\": %u, "
           "\"p99_us\": %u, \"max_us\": %u, \"cpu_us\": %llu, \"gen_cpu_us\": %llu, \"machine_us\": %llu, \"dropped\": %d",
           seconds, deliveries, sent, replies, acks, bytes, sampled ? samples[sampled / 2] : 0,
           sampled ? samples[(long)(sampled * 0.99)] : 0, sampled ? samples[sampled - 1] : 0,
           (unsigned long long)cpu, (unsigned long long)own, (unsigned long long)machine, dropped);
    if (check) printf(", \"said\": %ld, \"events\": %ld, \"lost\": %ld, \"order_errors\": %ld, \"seq_errors\": %ld, \"all_acks\": %ld",
                      total_said, all_events, lost, order_errors, seq_errors, all_acks);
    printf("}\n");
    return 0;
}
