# Perl's Mojolicious, in both roles.
use Mojo::Base -strict, -signatures;

use Mojo::IOLoop;
use Mojo::JSON 'encode_json';
use Mojo::Promise;
use Mojo::Server::Daemon;
use Mojo::URL;
use Mojo::UserAgent;
use Mojo::Util qw(decode encode);
use Mojo::WebSocket qw(WS_BINARY WS_CONTINUATION WS_PING WS_PONG WS_TEXT);
use Mojolicious;

my $PROTOCOL = 'second.choice';
my $LIMIT    = 2**24;

$| = 1;

sub tell_line ($line) { print encode_json($line), "\n" }

# Raw bytes: text is not decoded before it is echoed.
sub obey ($tx, $state, $kind, $bytes) {
  if ($kind ne 'text' || $bytes !~ /^interop:(\w+) ?(.*)$/s) {
    return $tx->send({$kind => $bytes}) unless delete $state->{in_pieces};
    my $third  = int(length($bytes) / 3);
    my @pieces = (substr($bytes, 0, $third), substr($bytes, $third, $third), substr($bytes, 2 * $third));
    my @ops    = ($kind eq 'text' ? WS_TEXT : WS_BINARY, WS_CONTINUATION, WS_CONTINUATION);
    $tx->send([$_ == 2 ? 1 : 0, 0, 0, 0, $ops[$_], $pieces[$_]]) for 0 .. 2;
    return;
  }
  my ($order, $words) = ($1, $2);
  if    ($order eq 'pieces') { $state->{in_pieces} = 1 }
  elsif ($order eq 'ping')   { $tx->send([1, 0, 0, 0, WS_PING, $words]) }
  else {
    my ($code, $reason) = split / /, $words, 2;
    $tx->finish($code => decode('UTF-8', $reason));
  }
}

sub talk ($tx, $path) {
  my $state = {};
  $tx->max_websocket_size($LIMIT);
  $tx->on(text   => sub ($tx, $bytes) { obey($tx, $state, text   => $bytes) });
  $tx->on(binary => sub ($tx, $bytes) { obey($tx, $state, binary => $bytes) });
  $tx->on(
    frame => sub ($tx, $frame) {
      $tx->send({text => "interop:pong $frame->[5]"}) if $frame->[4] == WS_PONG;
    }
  );
  my $over = Mojo::Promise->new;
  $tx->on(
    finish => sub ($tx, $code, $reason = undef) {
      tell_line({path => $path, protocol => $tx->protocol // '', code => $code // 1006, reason => $reason // ''});
      $over->resolve;
    }
  );
  return $over;
}

sub serve {
  my $app = Mojolicious->new;
  $app->log->level('fatal');
  $app->routes->websocket('/*any')->to(
    cb => sub ($c) {
      my $tx = $c->tx;
      $tx->with_protocols($PROTOCOL);
      $tx->with_compression;
      $c->on(message => sub { });
      $tx->unsubscribe('message');
      $c->inactivity_timeout(60);
      talk($tx, $c->req->url->path->to_string);
    }
  );
  my $daemon = Mojo::Server::Daemon->new(app => $app, listen => ['http://127.0.0.1'], silent => 1);
  $daemon->start;
  tell_line({version => Mojolicious->VERSION, port => $daemon->ports->[0]});
  Mojo::IOLoop->start;
}

sub connect_to ($url) {
  my $ua   = Mojo::UserAgent->new;
  my $over = Mojo::Promise->new;
  my $tx   = $ua->build_websocket_tx($url => {'Sec-WebSocket-Extensions' => 'permessage-deflate'});
  $tx->req->headers->sec_websocket_protocol("first.choice, $PROTOCOL");
  $ua->start(
    $tx => sub ($ua, $tx) {
      return $over->resolve unless $tx->is_websocket;
      talk($tx, Mojo::URL->new($url)->path->to_string)->then(sub { $over->resolve });
    }
  );
  $over->wait;
}

# a peer ends with the process that started it
my $stdin = Mojo::IOLoop::Stream->new(\*STDIN)->timeout(0);
$stdin->on(close => sub { exit 0 });
Mojo::IOLoop->stream($stdin);

my ($role, @urls) = @ARGV;
if ($role eq 'serve') { serve() }
else {
  tell_line({version => Mojolicious->VERSION});
  connect_to($_) for @urls;
}
