/* The limit: a server in C that does nothing but copy. One room; what comes in goes out to everybody, each frame built
 * once, one send per connection and turn of the loop. It parses nothing, numbers nothing, keeps nothing, answers nothing.
 * Only for wsload: the handshake's answer is ready made for the one key that it sends.
 *   cc -O2 -o epoll epoll.c && ./epoll PORT */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct { int fd, place, upgraded; char *in, *out; size_t in_size, in_room, out_size, out_room; } Client;

static Client **members;
static int count, room_for, epoll;
static char *turn, chunk[1 << 18];
static size_t turn_size, turn_room;
static const char accepted[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                               "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

static void append(char **buffer, size_t *size, size_t *room, const void *data, size_t more) {
    if (*size + more > *room) *buffer = realloc(*buffer, *room = (*size + more) * 2);
    memcpy(*buffer + *size, data, more);
    *size += more;
}

static void give(Client *c, const char *data, size_t size) {
    size_t done = 0;
    if (!c->out_size) {
        ssize_t n = send(c->fd, data, size, MSG_NOSIGNAL);
        if (n > 0) done = n;
    }
    if (done == size) return;
    if (!c->out_size) {
        struct epoll_event event = {EPOLLIN | EPOLLOUT, {.ptr = c}};
        epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &event);
    }
    append(&c->out, &c->out_size, &c->out_room, data + done, size - done);
}

static void write_on(Client *c) {
    ssize_t n = send(c->fd, c->out, c->out_size, MSG_NOSIGNAL);
    if (n <= 0) return;
    memmove(c->out, c->out + n, c->out_size -= n);
    if (c->out_size) return;
    struct epoll_event event = {EPOLLIN, {.ptr = c}};
    epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &event);
}

static void publish(unsigned char *mask, char *payload, size_t size) {
    unsigned char head[4] = {0x81, size < 126 ? size : 126, size >> 8, size};
    for (size_t i = 0; i < size; i++) payload[i] ^= mask[i & 3];
    append(&turn, &turn_size, &turn_room, head, size < 126 ? 2 : 4);
    append(&turn, &turn_size, &turn_room, payload, size);
}

static void upgrade(Client *c) {
    char *end = memmem(c->in, c->in_size, "\r\n\r\n", 4);
    if (!end) return;
    give(c, accepted, sizeof accepted - 1);
    c->upgraded = 1;
    c->in_size = 0; /* wsload speaks only after the answer */
    if (count == room_for) members = realloc(members, (room_for = room_for * 2 + 64) * sizeof *members);
    members[c->place = count++] = c;
}

static void take(Client *c) {
    size_t at = 0;
    while (c->in_size - at >= 8) {
        unsigned char *head = (unsigned char *)c->in + at;
        size_t size = head[1] & 127, start = 6;
        if (size == 126) { size = head[2] << 8 | head[3]; start = 8; }
        if (c->in_size - at < start + size) break;
        if ((head[0] & 15) == 1) publish(head + start - 4, c->in + at + start, size);
        at += start + size;
    }
    memmove(c->in, c->in + at, c->in_size -= at);
}

static void leave(Client *c) {
    if (c->upgraded) { members[c->place] = members[--count]; members[c->place]->place = c->place; }
    close(c->fd);
    free(c->in);
    free(c->out);
    free(c);
}

static void read_on(Client *c) {
    ssize_t n = recv(c->fd, chunk, sizeof chunk, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) { leave(c); return; }
    append(&c->in, &c->in_size, &c->in_room, chunk, n);
    if (c->upgraded) take(c); else upgrade(c);
}

static void enter(int listener) {
    int fd, one = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        Client *c = calloc(1, sizeof *c);
        struct epoll_event event = {EPOLLIN, {.ptr = c}};
        c->fd = fd;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    }
}

int main(int argc, char **argv) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(argc > 1 ? atoi(argv[1]) : 8000), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (void *)&address, sizeof address) || listen(listener, 1024)) { perror("epoll"); return 1; }
    epoll = epoll_create1(0);
    struct epoll_event events[1024], event = {EPOLLIN, {.ptr = NULL}};
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int n = epoll_wait(epoll, events, 1024, -1);
        for (int i = 0; i < n; i++) {
            Client *c = events[i].data.ptr;
            if (!c) { enter(listener); continue; }
            if (events[i].events & EPOLLOUT) write_on(c);
            if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) read_on(c);
        }
        if (turn_size)
            for (int i = 0; i < count; i++) give(members[i], turn, turn_size);
        turn_size = 0;
    }
}
