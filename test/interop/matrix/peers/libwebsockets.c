/* libwebsockets, in both roles. Where it closes by itself, it does not say what the answer was. */

#include <libwebsockets.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROTOCOL "second.choice"
#define OFFERED "first.choice, second.choice"
#define THIRD 3

/* What waits to be written: one frame. */
struct item {
  struct item *next;
  enum lws_write_protocol kind;
  size_t length;
  unsigned char bytes[];
};

struct session {
  char path[64];
  unsigned char *message;
  size_t length;
  int is_binary, in_pieces, closing, saw_close;
  unsigned code;
  char reason[128];
  struct item *first, **last;
};

static struct lws_context *context;
static char **urls;

static void tell_end(struct session *s) {
  if (s->saw_close)
    printf("{\"path\":\"%s\",\"protocol\":\"%s\",\"code\":%u,\"reason\":\"%s\"}\n", s->path, PROTOCOL, s->code, s->reason);
  else
    printf("{\"path\":\"%s\",\"protocol\":\"%s\"}\n", s->path, PROTOCOL);
  fflush(stdout);
}

static void put(struct lws *wsi, struct session *s, int kind, const void *bytes, size_t length) {
  struct item *item = malloc(sizeof *item + LWS_PRE + length);
  item->next = NULL;
  item->kind = kind;
  item->length = length;
  memcpy(item->bytes + LWS_PRE, bytes, length);
  *s->last = item;
  s->last = &item->next;
  lws_callback_on_writable(wsi);
}

static void reply(struct lws *wsi, struct session *s) {
  int kind = s->is_binary ? LWS_WRITE_BINARY : LWS_WRITE_TEXT;
  size_t third = s->length / THIRD;
  if (!s->in_pieces) {
    put(wsi, s, kind, s->message, s->length);
    return;
  }
  put(wsi, s, kind | LWS_WRITE_NO_FIN, s->message, third);
  put(wsi, s, LWS_WRITE_CONTINUATION | LWS_WRITE_NO_FIN, s->message + third, third);
  put(wsi, s, LWS_WRITE_CONTINUATION, s->message + 2 * third, s->length - 2 * third);
  s->in_pieces = 0;
}

static void obey(struct lws *wsi, struct session *s) {
  char *words = (char *)s->message;
  s->message[s->length] = 0;
  if (!s->is_binary && !strcmp(words, "interop:pieces")) {
    s->in_pieces = 1;
  } else if (!s->is_binary && !strncmp(words, "interop:ping ", 13)) {
    put(wsi, s, LWS_WRITE_PING, words + 13, s->length - 13);
  } else if (!s->is_binary && !strncmp(words, "interop:close ", 14)) {
    char *reason;
    int code = (int)strtol(words + 14, &reason, 10);
    lws_close_reason(wsi, code, (unsigned char *)reason + 1, strlen(reason + 1));
    s->closing = 1;
    lws_callback_on_writable(wsi);
  } else {
    reply(wsi, s);
  }
  s->length = 0;
}

static void receive(struct lws *wsi, struct session *s, const void *in, size_t length) {
  s->is_binary = lws_frame_is_binary(wsi);
  s->message = realloc(s->message, s->length + length + 1);
  memcpy(s->message + s->length, in, length);
  s->length += length;
  if (lws_is_final_fragment(wsi)) obey(wsi, s);
}

static void pong(struct lws *wsi, struct session *s, const void *in, size_t length) {
  char text[160];
  int written = snprintf(text, sizeof text, "interop:pong %.*s", (int)length, (const char *)in);
  put(wsi, s, LWS_WRITE_TEXT, text, written);
}

static int write_next(struct lws *wsi, struct session *s) {
  struct item *item = s->first;
  if (item == NULL) return s->closing ? -1 : 0;
  if (lws_write(wsi, item->bytes + LWS_PRE, item->length, item->kind) < 0) return -1;
  s->first = item->next;
  if (s->first == NULL) s->last = &s->first;
  free(item);
  if (s->first != NULL || s->closing) lws_callback_on_writable(wsi);
  return 0;
}

static void finish(struct session *s) {
  while (s->first != NULL) {
    struct item *item = s->first;
    s->first = item->next;
    free(item);
  }
  free(s->message);
  s->message = NULL;
}

static int dial_next(void) {
  struct lws_client_connect_info info = {0};
  char *url = *urls, *path = strchr(url + 5, '/'), host[64];
  snprintf(host, sizeof host, "%.*s", (int)(path - url - 5), url + 5);
  info.context = context;
  info.address = "127.0.0.1";
  info.port = atoi(strchr(host, ':') + 1);
  info.path = path;
  info.host = info.origin = host;
  info.protocol = OFFERED;
  info.local_protocol_name = PROTOCOL;
  return lws_client_connect_via_info(&info) != NULL;
}

static int talk(struct lws *wsi, enum lws_callback_reasons why, void *user, void *in, size_t length) {
  struct session *s = user;
  switch (why) {
  case LWS_CALLBACK_ESTABLISHED:
    s->last = &s->first;
    lws_hdr_copy(wsi, s->path, sizeof s->path, WSI_TOKEN_GET_URI);
    break;
  case LWS_CALLBACK_CLIENT_ESTABLISHED:
    s->last = &s->first;
    snprintf(s->path, sizeof s->path, "%s", strchr(*urls + 5, '/'));
    break;
  case LWS_CALLBACK_RECEIVE:
  case LWS_CALLBACK_CLIENT_RECEIVE:
    receive(wsi, s, in, length);
    break;
  case LWS_CALLBACK_RECEIVE_PONG:
  case LWS_CALLBACK_CLIENT_RECEIVE_PONG:
    pong(wsi, s, in, length);
    break;
  case LWS_CALLBACK_SERVER_WRITEABLE:
  case LWS_CALLBACK_CLIENT_WRITEABLE:
    return write_next(wsi, s);
  case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
    s->saw_close = 1;
    s->code = length < 2 ? 1005 : ((unsigned char *)in)[0] << 8 | ((unsigned char *)in)[1];
    if (length > 2) snprintf(s->reason, sizeof s->reason, "%.*s", (int)length - 2, (char *)in + 2);
    break;
  case LWS_CALLBACK_CLOSED:
    tell_end(s);
    finish(s);
    break;
  case LWS_CALLBACK_CLIENT_CLOSED:
    tell_end(s);
    finish(s);
    urls++;
    break;
  case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
    urls++;
    break;
  default:
    break;
  }
  return 0;
}

static void *leave_with_parent(void *nothing) {
  char byte;
  while (read(0, &byte, 1) > 0) continue;
  _exit(0);
  return nothing;
}

static const struct lws_protocols protocols[] = {
    {PROTOCOL, talk, sizeof(struct session), 65536, 0, NULL, 0}, {NULL, NULL, 0, 0, 0, NULL, 0}};

static const struct lws_extension extensions[] = {
    {"permessage-deflate", lws_extension_callback_pm_deflate, "permessage-deflate; client_no_context_takeover"},
    {NULL, NULL, NULL}};

int main(int count, char **arguments) {
  struct lws_context_creation_info info = {0};
  pthread_t thread;
  int serves = !strcmp(arguments[1], "serve");
  (void)count;
  pthread_create(&thread, NULL, leave_with_parent, NULL);
  lws_set_log_level(0, NULL);
  info.port = serves ? 0 : CONTEXT_PORT_NO_LISTEN;
  info.iface = "127.0.0.1";
  info.protocols = protocols;
  info.extensions = extensions;
  info.options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS;
  info.pt_serv_buf_size = 65536;
  info.gid = info.uid = -1;
  context = lws_create_context(&info);
  struct lws_vhost *vhost = lws_create_vhost(context, &info);
  const char *version = lws_get_library_version();
  int length = (int)strcspn(version, "- ");
  if (serves) {
    printf("{\"version\":\"%.*s\",\"port\":%d}\n", length, version, lws_get_vhost_listen_port(vhost));
    fflush(stdout);
    while (lws_service(context, 0) >= 0) continue;
    return 0;
  }
  printf("{\"version\":\"%.*s\"}\n", length, version);
  fflush(stdout);
  for (urls = arguments + 2; *urls != NULL;) {
    char **current = urls;
    if (!dial_next() && urls == current) urls++;
    while (urls == current && lws_service(context, 0) >= 0) continue;
  }
  return 0;
}
