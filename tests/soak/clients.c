/* clients: many who are in a room each, hardly cost anything, and come back as client.js does. One process, one thread (epoll). Linux.
 *
 *   cc -O2 -o clients clients.c
 *   clients key=value …      (all keys and their defaults: `settings` below)
 *   clients waits            (only reads events of one connection, a line each, and prints how long client.js waits after it)
 *
 * Client number n is in the room r<n % rooms>, and its token is line n of the file `tokens`. The last `stay` clients connect to the port
 * `other`, all others to `port`; whoever has lost a connection comes back to `other`, as behind a balancer. Each address of this
 * machine from 127.1.0.1 on has `each` of them, for an address has only so many ports.
 *
 * Commands come on stdin, a line each:
 *   talk N      those who stay say N messages a second, in turn; 0: nobody says anything
 *   say         client 0 says one message
 *   count       how many are in their rooms now, how often somebody has come back so far, and how many messages were heard
 *   figures     one line of JSON: what happened since the last `figures`
 *   end
 */
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
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define DIAL 20.0  /* of link.js: seconds until welcome */
#define PONG 10.0  /* seconds without an answer to a ping */
#define STABLE 5.0 /* seconds that an overloaded server kept a connection */
#define TRIES 3    /* sockets of which nothing was heard; then HTTP */

/* What link.js knows about its connection, as far as its waits depend on it. */
typedef struct {
    int attempt, silent, opened, heard, online, late, over_http;
    double online_at, come_back_in; /* come_back_in < 0: the server has not said it */
} Link;

enum { NONE, WAITING, CONNECTING, SHAKING, GREETING, JOINING, IN };

typedef struct {
    Link link;
    int fd, index, state, moved, was_in, pinged, tries;
    long number, seq;
    double heard_at, due, lost_at, dialled_at;
    char epoch[32]; /* of its room */
    char *in;
    size_t in_size;
} Client;

static struct { const char *key, *value; } settings[] = {
    {"port", "0"}, {"other", "0"}, {"path", "/chat/ws"}, {"api", "/chat/api/"}, {"tokens", ""}, {"connections", "1"}, {"stay", "0"},
    {"rooms", "1"}, {"opening", "50"}, {"each", "20000"}, {"first", "1"}, {"longest", "30"}, {"pad", "100"}, {"headers", ""}, {"seed", "1"},
};
enum { KEYS = sizeof settings / sizeof *settings, SAMPLES = 1 << 22, CHUNK = 1 << 20 };

static double first = 1, longest = 30;
static Client *all;
static int connections, stay, rooms, port, other, each, pad, opening, opened, under_way, epoll_fd, ending;
static double interval = 30, talk_every, talk_at;
static long turn_of;
static char chunk[CHUNK], text[CHUNK], padding[4096];
static char **tokens;
static int token_count;
/* since the last figures */
static long lost, refused, unreachable, timed_out, over_http, said, deliveries, gaps, resets, errors, closes[5000];
static uint32_t *samples;
static long sampled;
static double *backs;
static long back_count, all_backs, all_heard, now_in, now_waiting;

static const char *setting(const char *key) {
    for (int i = 0; i < KEYS; i++)
        if (!strcmp(settings[i].key, key)) return settings[i].value;
    abort();
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "clients: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    exit(1);
}

/* ---- client.js: when to come back (link.js: #lost, #wait). A test compares it with the original. ---- */

static double jitter(int tries, double lot) {
    double most = first;
    for (; tries > 0 && most < longest; tries--) most *= 2;
    return lot * (most < longest ? most : longest);
}

static double chance(void) { return random() / (RAND_MAX + 1.0); }

static int crowded(int code) { return code == 1013 || code == 4008 || code == 4013; }

/* The seconds to wait after a connection that ended with `code` at the time `at`; `lot` is what Math.random() says. */
static double wait_after(Link *link, int code, double at, double lot) {
    if (link->over_http) link->silent = code == 1006 && !link->online ? 0 : link->silent;
    else link->silent = link->heard || code != 1006 ? 0 : link->silent + 1;
    if (link->online && (!crowded(code) || at - link->online_at >= STABLE)) link->attempt = 0;
    link->online = 0;
    link->late = !link->opened;
    if (crowded(code) && link->attempt < 2) link->attempt = 2;
    int turns_to_http = link->silent >= TRIES && !link->over_http;
    double wait = link->come_back_in >= 0 ? link->come_back_in : turns_to_http ? 0 : jitter(link->attempt, lot);
    link->come_back_in = -1;
    link->attempt++;
    link->over_http = link->silent >= TRIES;
    link->opened = link->heard = 0;
    return wait;
}

/* Lines "code opened heard online seconds chance [reconnectIn]"; online is how many seconds ago the welcome came, -1 never. */
static int play_waits(void) {
    Link link = {.come_back_in = -1};
    char line[256];
    while (fgets(line, sizeof line, stdin)) {
        int code, was_opened, heard;
        double online, lot, told = -1;
        if (sscanf(line, "%d %d %d %lf %lf %lf", &code, &was_opened, &heard, &online, &lot, &told) < 5) return 1;
        link.opened = was_opened, link.heard = heard, link.online = online >= 0, link.online_at = -online, link.come_back_in = told;
        printf("%.6f\n", wait_after(&link, code, 0, lot));
    }
    return 0;
}

/* ---- frames ---- */

static void finish(Client *c, int code);

static void put(Client *c, const void *data, size_t size) {
    /* What we say is small: where the system does not take it at once, the server does not read, and that is the end. */
    if (send(c->fd, data, size, MSG_NOSIGNAL) != (ssize_t)size) finish(c, 1006);
}

/* Masked with zeros, which costs the server the same as any other key. */
static void put_frame(Client *c, int opcode, const char *payload, size_t size) {
    unsigned char frame[8192] = {0x80 | opcode};
    size_t at = 2;
    if (size < 126) frame[1] = 0x80 | size;
    else frame[1] = 0x80 | 126, frame[at++] = size >> 8, frame[at++] = size;
    memset(frame + at, 0, 4);
    memcpy(frame + at + 4, payload, size);
    put(c, frame, at + 4 + size);
}

static void put_text(Client *c, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, 4096, format, arguments);
    va_end(arguments);
    put_frame(c, 1, text, size);
}

static const char *token_of(Client *c) { return token_count ? tokens[c->index % token_count] : ""; }

static void put_request(Client *c, double at) {
    char offered[2048] = "";
    c->dialled_at = at;
    if (c->link.over_http) {
        int size = snprintf(text, 4096, "POST %swelcome HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}", setting("api"),
                            c->moved ? other : port);
        over_http++;
        put(c, text, size);
        return;
    }
    if (token_count && !c->link.late) snprintf(offered, sizeof offered, ", bearer.%s", token_of(c));
    int to = c->moved ? other : port;
    int size = snprintf(text, 8192,
        "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nOrigin: http://127.0.0.1:%d\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: chatrooms.v1%s\r\n%s\r\n",
        setting("path"), to, to, offered, setting("headers"));
    put(c, text, size);
}

static void say(Client *c, double at) {
    said++;
    put_text(c, "{\"type\":\"message\",\"msgId\":\"%08x-%012d-%012ld\",\"room\":\"r%d\",\"payload\":{\"text\":\"@%015llu@%.*s\"}}", getpid(), c->index,
             c->number, c->index % rooms, (unsigned long long)(at * 1e6), pad, padding);
    c->number++;
}

static void join(Client *c) {
    char since[256] = "";
    if (*c->epoch) snprintf(since, sizeof since, "\"since\":{\"epoch\":\"%s\",\"seq\":%ld}", c->epoch, c->seq);
    put_text(c, "{\"type\":\"join\",\"msgId\":\"%08x-%012d-%012ld\",\"room\":\"r%d\",\"payload\":{%s}}", getpid(), c->index, c->number++,
             c->index % rooms, since);
    if (c->state == GREETING) c->state = JOINING;
}

/* ---- coming and going ---- */

static void dial(Client *c, double at) {
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr = {htonl(0x7f010001 + c->index / each)}};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(c->moved ? other : port), .sin_addr = {htonl(0x7f000001)}};
    int one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (c->fd < 0) fail("no socket: %s (see `ulimit -n`)", strerror(errno));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (bind(c->fd, (void *)&from, sizeof from)) fail("no address: %s", strerror(errno));
    c->state = CONNECTING, c->dialled_at = at, under_way++;
    struct epoll_event event = {EPOLLIN | EPOLLOUT | EPOLLONESHOT, {.ptr = c}};
    if (connect(c->fd, (void *)&to, sizeof to) && errno != EINPROGRESS) {
        unreachable++;
        finish(c, 1006);
        return;
    }
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event);
}

static void connected(Client *c, double at) {
    int problem = 0;
    socklen_t size = sizeof problem;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &problem, &size);
    if (problem) {
        unreachable++;
        finish(c, 1006);
        return;
    }
    struct epoll_event event = {EPOLLIN, {.ptr = c}};
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &event);
    c->state = SHAKING;
    put_request(c, at);
}

static void finish(Client *c, int code) {
    double at = now();
    if (c->state == WAITING || c->state == NONE) return;
    close(c->fd);
    free(c->in);
    c->in = NULL, c->in_size = 0, c->pinged = 0;
    if (c->state == IN) now_in--, lost++, c->lost_at = at;
    else under_way--;
    if (!c->lost_at) c->lost_at = at;
    closes[code < 5000 ? code : 0]++;
    c->state = WAITING, c->moved = 1, now_waiting++;
    c->due = at + wait_after(&c->link, code, at, chance());
}

static void is_in(Client *c, double at) {
    if (c->state == IN) return;
    c->state = IN, c->tries = 0, now_in++, under_way--;
    if (c->was_in && c->lost_at) all_backs++;
    if (c->lost_at && back_count < 8L * connections) backs[back_count++] = at - c->lost_at;
    c->was_in = 1;
    c->lost_at = 0;
}

/* ---- what comes ---- */

static long number_after(const char *data, size_t size, const char *key) {
    const char *found = memmem(data, size, key, strlen(key));
    return found ? atol(found + strlen(key)) : -1;
}

static void take_event(Client *c, const char *data, size_t size, double at) {
    long seq = memmem(data, size < 120 ? size : 120, "\"type\":\"message\"", 16) ? number_after(data, size, "\"seq\":") : -1;
    if (seq < 0) return;
    if (seq != c->seq + 1) gaps++;
    c->seq = seq;
    const char *stamp = memchr(data, '@', size);
    if (!stamp) return;
    all_heard++, deliveries++;
    if ((!stay || c->index >= connections - stay) && sampled < SAMPLES) samples[sampled++] = at * 1e6 - strtoull(stamp + 1, NULL, 10);
}

static void take_join(Client *c, const char *data, size_t size, double at) {
    if (memmem(data, size, "\"recovered\":true", 16)) {
        const char *from = data, *end = data + size;
        for (const char *found; (found = memmem(from, end - from, "\"type\":\"message\"", 16)); from = found + 16) {
            c->seq++; /* they are without gaps, or else it is not recovered */
        }
    } else {
        const char *found = memmem(data, size, "\"epoch\":\"", 9);
        if (*c->epoch) resets++;
        if (found) sscanf(found + 9, "%31[^\"]", c->epoch);
        c->seq = number_after(data, size, "\"seq\":");
    }
    is_in(c, at);
}

/* rooms.js: #refused. */
static void take_error(Client *c, const char *data, size_t size, double at) {
    if (!memmem(data, size, "\"temporary\":true", 16)) fail("the server said: %.*s", (int)size, data);
    errors++;
    const char *found = memmem(data, size, "\"retryAfter\":", 13);
    if (c->state == JOINING) c->due = at + (found ? atof(found + 13) : 0.5 + jitter(c->tries++, chance()));
}

static void take_text(Client *c, const char *data, size_t size, double at) {
    size_t head = size < 120 ? size : 120;
    c->link.heard = 1;
    if (c->state == GREETING && memmem(data, head, "\"type\":\"welcome\"", 16)) {
        const char *found = memmem(data, size, "\"interval\":", 11);
        if (found) interval = atof(found + 11);
        c->link.online = 1, c->link.online_at = at;
        join(c);
    } else if (memmem(data, head, "\"type\":\"closing\"", 16)) {
        const char *found = memmem(data, size, "\"reconnectIn\":", 14);
        c->link.come_back_in = found ? atof(found + 14) : 0;
    } else if (memmem(data, head, "\"type\":\"error\"", 14)) {
        take_error(c, data, size, at);
    } else if (c->state == JOINING && memmem(data, size, "\"online\":", 9) && memmem(data, head, "\"type\":\"ack\"", 12)) {
        take_join(c, data, size, at);
    } else if (c->state == IN) take_event(c, data, size, at);
}

static void take_frame(Client *c, int opcode, const char *data, size_t size, double at) {
    if (opcode == 1) take_text(c, data, size, at);
    else if (opcode == 9) put_frame(c, 10, data, size);
    else if (opcode == 8) {
        put_frame(c, 8, data, size);
        if (c->state != WAITING) finish(c, size >= 2 ? (unsigned char)data[0] << 8 | (unsigned char)data[1] : 1005);
    }
}

static size_t take_handshake(Client *c, const char *data, size_t size) {
    char *end = memmem(data, size, "\r\n\r\n", 4);
    if (!end) return 0;
    if (strncmp(data + 9, "101", 3)) {
        int busy = !strncmp(data + 9, "503", 3) || !strncmp(data + 9, "429", 3);
        if (!c->link.over_http) refused++;
        finish(c, c->link.over_http && busy ? 1013 : 1006);
        return 0;
    }
    c->state = GREETING, c->link.opened = 1;
    if (token_count && c->link.late)
        put_text(c, "{\"type\":\"auth\",\"msgId\":\"%08x-%012d-%012ld\",\"payload\":{\"token\":\"%s\"}}", getpid(), c->index, c->number++, token_of(c));
    return end + 4 - data;
}

/* Whole frames from here; returns how much of it they were. */
static size_t take_frames(Client *c, const char *data, size_t have, double at) {
    size_t done = 0;
    while (have - done >= 2 && c->state >= GREETING) {
        const unsigned char *head = (const unsigned char *)data + done;
        uint64_t size = head[1] & 127;
        size_t start = size == 126 ? 4 : size == 127 ? 10 : 2;
        if (have - done < start) break;
        if (start > 2) for (size_t i = (size = 0, 2); i < start; i++) size = size << 8 | head[i];
        if (have - done < start + size) break;
        take_frame(c, head[0] & 15, data + done + start, size, at);
        done += start + size;
    }
    return done;
}

static void keep(Client *c, const char *data, size_t size) {
    c->in = size ? realloc(c->in_size ? c->in : NULL, size) : NULL;
    memcpy(c->in, data, size);
    c->in_size = size;
}

static void receive(Client *c, double at) {
    static char whole[2 * CHUNK];
    ssize_t n = recv(c->fd, chunk, CHUNK, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) {
        finish(c, 1006);
        return;
    }
    c->heard_at = at, c->pinged = 0;
    char *data = chunk;
    size_t size = n, done = 0;
    if (c->in_size) {
        memcpy(whole, c->in, c->in_size);
        memcpy(whole + c->in_size, chunk, n);
        data = whole, size += c->in_size;
    }
    if (c->state == SHAKING) done = take_handshake(c, data, size);
    if (c->state >= GREETING) done += take_frames(c, data + done, size - done, at);
    if (c->state == WAITING) return;
    if (done < size) {
        char *old = c->in_size ? c->in : NULL;
        c->in_size = 0;
        keep(c, data + done, size - done);
        free(old);
    } else {
        free(c->in);
        c->in = NULL, c->in_size = 0;
    }
}

/* ---- time ---- */

static void look(Client *c, double at) {
    if (c->state == WAITING && at >= c->due) {
        c->due = 0, now_waiting--;
        dial(c, at);
    } else if (c->state == JOINING && c->due && at >= c->due) {
        c->due = 0;
        join(c);
    } else if (c->state > WAITING && c->state < JOINING && at - c->dialled_at >= DIAL) {
        timed_out++;
        finish(c, 1006);
    } else if (c->state == IN && c->pinged && at - c->heard_at >= interval + PONG) {
        timed_out++;
        finish(c, 1006);
    } else if (c->state == IN && !c->pinged && at - c->heard_at >= interval) {
        c->pinged = 1;
        put_text(c, "{\"type\":\"ping\"}");
    }
}

/* All are looked at once in `over` seconds. */
static void look_around(double at) {
    static double looked;
    static long next;
    double over = now_waiting ? 0.005 : 0.5;
    long count = looked ? (at - looked) / over * opened : 0;
    if (!looked || count > 0) looked = at;
    if (count > opened) count = opened;
    for (; count > 0; count--) look(&all[next++ % opened], at);
}

static void talk(double at) {
    if (!talk_every) return;
    if (at - talk_at > 1) talk_at = at - 1; /* it was stopped for long */
    for (int tries = 0; at >= talk_at && tries < 1000; tries++) {
        Client *c = &all[connections - (stay ? stay : connections) + turn_of++ % (stay ? stay : connections)];
        if (c->state != IN) continue;
        say(c, now());
        talk_at += talk_every;
    }
}

/* ---- what is asked ---- */

static int ascending(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}
static int sooner(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_figures(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    qsort(samples, sampled, sizeof *samples, ascending);
    qsort(backs, back_count, sizeof *backs, sooner);
    printf("{\"in\": %ld, \"waiting\": %ld, \"lost\": %ld, \"refused\": %ld, \"unreachable\": %ld, \"timed_out\": %ld, \"over_http\": %ld, "
           "\"said\": %ld, \"deliveries\": %ld, \"gaps\": %ld, \"resets\": %ld, \"errors\": %ld, ",
           now_in, now_waiting, lost, refused, unreachable, timed_out, over_http, said, deliveries, gaps, resets, errors);
    printf("\"p50\": %.6f, \"p99\": %.6f, \"slowest\": %.6f, ", sampled ? samples[sampled / 2] / 1e6 : 0.0,
           sampled ? samples[(long)(sampled * 0.99)] / 1e6 : 0.0, sampled ? samples[sampled - 1] / 1e6 : 0.0);
    printf("\"backs\": %ld, \"back_50\": %.3f, \"back_95\": %.3f, \"back_last\": %.3f, ", back_count, back_count ? backs[back_count / 2] : 0.0,
           back_count ? backs[back_count * 95 / 100] : 0.0, back_count ? backs[back_count - 1] : 0.0);
    printf("\"cpu\": %.3f, \"closes\": {", usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
    const char *comma = "";
    for (int code = 0; code < 5000; code++)
        if (closes[code]) printf("%s\"%d\": %ld", comma, code, closes[code]), comma = ", ";
    printf("}}\n");
    fflush(stdout);
    lost = refused = unreachable = timed_out = over_http = said = deliveries = gaps = resets = errors = sampled = back_count = 0;
    memset(closes, 0, sizeof closes);
}

static void obey(const char *line) {
    if (!strncmp(line, "talk ", 5)) talk_every = atof(line + 5) > 0 ? 1 / atof(line + 5) : 0, talk_at = now();
    else if (!strncmp(line, "say", 3)) say(&all[0], now());
    else if (!strncmp(line, "count", 5)) printf("[%ld, %ld, %ld]\n", now_in, all_backs, all_heard), fflush(stdout);
    else if (!strncmp(line, "figures", 7)) print_figures();
    else if (!strncmp(line, "end", 3)) ending = 1;
}

static void take_commands(void) {
    static char lines[4096];
    static size_t size;
    ssize_t n = read(0, lines + size, sizeof lines - size - 1);
    if (n <= 0) ending = 1;
    else size += n;
    lines[size] = 0;
    for (char *stop; (stop = strchr(lines, '\n')); memmove(lines, stop + 1, size -= stop + 1 - lines), lines[size] = 0) obey(lines);
}

static void turn(void) {
    static struct epoll_event events[1024];
    int busy = now_waiting || talk_every || opened < connections;
    int n = epoll_wait(epoll_fd, events, 1024, busy ? 1 : 20);
    double at = now();
    for (int i = 0; i < n; i++) {
        Client *c = events[i].data.ptr;
        if (!c) take_commands();
        else if (c->state == CONNECTING) connected(c, at);
        else if (c->state != WAITING) receive(c, now());
    }
    look_around(at);
    talk(at);
    for (; opened < connections && under_way + now_waiting < opening; opened++) {
        Client *c = &all[opened];
        c->index = opened, c->link.come_back_in = -1, c->moved = opened >= connections - stay, c->heard_at = at;
        dial(c, at);
    }
}

static void read_tokens(const char *file) {
    char line[4096];
    FILE *f = fopen(file, "r");
    if (!f) fail("no file %s", file);
    for (int room = 0; fgets(line, sizeof line, f);) {
        if (token_count == room) tokens = realloc(tokens, (room = room * 2 + 1024) * sizeof *tokens);
        line[strcspn(line, "\n")] = 0;
        tokens[token_count++] = strdup(line);
    }
    fclose(f);
}

static void raise_limit(void) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < (rlim_t)connections + 100) fail("%d files may be open, %d are needed", (int)limit.rlim_cur, connections + 100);
}

int main(int count, char **arguments) {
    if (count > 1 && !strcmp(arguments[1], "waits")) return play_waits();
    for (int i = 1; i < count; i++) {
        char *value = strchr(arguments[i], '=');
        int known = 0;
        for (int k = 0; value && k < KEYS; k++)
            if (!strncmp(settings[k].key, arguments[i], value - arguments[i]) && !settings[k].key[value - arguments[i]])
                settings[k].value = value + 1, known = 1;
        if (!known) fail("what is %s?", arguments[i]);
    }
    port = atoi(setting("port")), other = atoi(setting("other")), connections = atoi(setting("connections")), stay = atoi(setting("stay"));
    rooms = atoi(setting("rooms")), each = atoi(setting("each")), opening = atoi(setting("opening")), pad = atoi(setting("pad"));
    first = atof(setting("first")), longest = atof(setting("longest"));
    if (!port) fail("which port?");
    if (!other) other = port;
    srandom(atoi(setting("seed")));
    raise_limit();
    memset(padding, 'x', sizeof padding - 1);
    if (*setting("tokens")) read_tokens(setting("tokens"));
    all = calloc(connections, sizeof *all), samples = malloc(SAMPLES * sizeof *samples), backs = malloc((connections + 1) * 8 * sizeof *backs);
    epoll_fd = epoll_create1(0);
    struct epoll_event event = {EPOLLIN, {.ptr = NULL}};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, 0, &event)) fail("commands must come through a pipe");
    while (!ending) turn();
    return 0;
}
