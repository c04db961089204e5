# Debian's Protocol::WebSocket as a client of hixie-75 and hixie-76, which it calls draft-ietf-hybi-00: its side of a conversation, as
# conversation.py has it, with nothing but text.
#
# draft_peer.pl FOLDER PORT VERSION MANNER PATH...
#
# MANNER says how the request is sent: `whole`; `bare`, without Content-Length; `late`, its body only after the head of the response,
# and in two pieces; or `glued`, with the first message directly after it. Every connection ends as one line of JSON on stdout.

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use JSON::PP;
use Protocol::WebSocket::Frame;
use Protocol::WebSocket::Handshake::Client;

use constant {
    BATON    => 'over to you',
    BURST    => 65536,
    OFFERED  => 'second.choice',
    PATIENCE => 20,
};

$| = 1;
my ($folder, $port, $version, $manner, @paths) = @ARGV;
my @script = read_script();

for my $path (@paths) {
    my %report = (path => $path, protocol => '', echoed => 0, ending => '', faults => []);
    local $SIG{ALRM} = sub { die "waits in vain\n" };
    alarm PATIENCE;
    eval { converse(\%report, $path); 1 } or push @{$report{faults}}, "$@";
    alarm 0;
    print encode_json(\%report), "\n";
}

sub read_script {
    my $entries = decode_json(slurp("$folder/script.json"));
    return map { {name => $_->{name}, data => slurp("$folder/$_->{file}")} } grep { $_->{kind} eq 'text' } @$entries;
}

sub slurp {
    my ($file) = @_;
    open my $handle, '<:raw', $file or die "$file: $!";
    local $/;
    my $bytes = <$handle>;
    return defined $bytes ? $bytes : '';
}

sub converse {
    my ($report, $path) = @_;
    my ($player, $closer, $most) = map { $path =~ /[?&]$_=(\w+)/ ? $1 : '' } qw(player closer most);
    my $wire = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or die "connect: $!";
    binmode $wire;
    $wire->blocking(0);
    my $self = {
        wire   => $wire,
        input  => '',
        frames => Protocol::WebSocket::Frame->new(version => $version),
    };
    my @messages = grep { length $_->{data} <= $most } @script;
    my $glued = $manner eq 'glued' ? $messages[0]{data} : undef;

    shake_hands($self, $report, $path, $glued);
    $player eq 'peer' ? play($self, $report, \@messages, $glued) : echo($self, $report);
    $closer eq 'peer' ? close_first($self, $report) : close_second($self, $report);
    close $wire;
}

sub shake_hands {
    my ($self, $report, $path, $glued) = @_;
    my $handshake = Protocol::WebSocket::Handshake::Client->new(url => "ws://127.0.0.1:$port$path", version => $version);
    $handshake->req->subprotocol(OFFERED);
    my $request = $handshake->to_string;
    $request =~ s/Content-Length: 8\r\n// if $manner ne 'whole';
    my ($head, $body) = $request =~ /^(.*?\r\n\r\n)(.*)$/s;

    if ($manner eq 'late') {
        send_bytes($self, $head);
        read_more($self) until $self->{input} =~ /\r\n\r\n/;
        send_bytes($self, substr $body, 0, 3);
        send_bytes($self, substr $body, 3);
    }
    else {
        send_bytes($self, $request . (defined $glued ? frame($glued) : ''));
    }
    until ($handshake->is_done) {
        read_more($self) if $self->{input} eq '';
        $handshake->parse($self->{input}) or die $handshake->error . "\n";
    }
    my $answer = $handshake->res;
    $report->{protocol} = $answer->subprotocol;
    $report->{origin}   = $answer->origin;
    $report->{location} = $answer->location;
    push @{$report->{faults}}, 'another version: ' . $answer->version if $answer->version ne $version;
}

sub play {
    my ($self, $report, $messages, $glued) = @_;
    for my $message (@$messages) {
        send_bytes($self, frame($message->{data})) unless defined $glued;
        undef $glued;
        expect_echo($self, $report, $message, 'alone');
    }
    my @burst = grep { length $_->{data} <= BURST } @$messages;
    send_bytes($self, join '', map { frame($_->{data}) } @burst);
    expect_echo($self, $report, $_, 'right behind others') for @burst;
    send_bytes($self, frame(BATON));
    my $answer = receive($self);
    die "the other side did not answer the last message\n" unless defined $answer && $answer eq BATON;
}

sub echo {
    my ($self, $report) = @_;
    while (1) {
        my $message = receive($self);
        die "closed before the script was over\n" unless defined $message;
        last if $message eq BATON;
        send_bytes($self, frame($message));
        $report->{echoed}++;
    }
    send_bytes($self, frame(BATON));
}

sub expect_echo {
    my ($self, $report, $message, $how) = @_;
    my $answer = receive($self);
    die "closed instead of an answer to $message->{name}, $how\n" unless defined $answer;
    if   ($answer eq $message->{data}) { $report->{echoed}++ }
    else                               { push @{$report->{faults}}, "$message->{name}, sent $how, came back otherwise" }
}

sub close_first {
    my ($self, $report) = @_;
    send_bytes($self, Protocol::WebSocket::Frame->new(version => $version, type => 'close')->to_bytes) if has_close();
    shutdown $self->{wire}, 1 unless has_close();
    push @{$report->{faults}}, 'a message came behind the last one' if defined receive($self);
    $report->{ending} = $self->{ending};
    wait_for_end($self, $report);
}

sub close_second {
    my ($self, $report) = @_;
    push @{$report->{faults}}, 'a message came behind the last one' if defined receive($self);
    $report->{ending} = $self->{ending};
    send_bytes($self, Protocol::WebSocket::Frame->new(version => $version, type => 'close')->to_bytes) if has_close();
    wait_for_end($self, $report);
}

sub wait_for_end {
    my ($self, $report) = @_;
    1 while !$self->{ended} && read_more($self);
    push @{$report->{faults}}, 'bytes behind the end' if length $self->{frames}{buffer};
}

sub has_close { $version eq 'draft-ietf-hybi-00' }

sub frame { Protocol::WebSocket::Frame->new(version => $version, buffer => $_[0])->to_bytes }

# The next message; undefined after a close frame or the end of the wire, which `ending` tells apart.
sub receive {
    my ($self) = @_;
    while (1) {
        $self->{frames}->append($self->{input});
        $self->{input} = '';
        my $message = $self->{frames}->next_bytes;
        if (defined $message) {
            return $message unless $self->{frames}->is_close;
            $self->{ending} = 'close';
            return;
        }
        next if read_more($self);
        $self->{ending} = 'end';
        return;
    }
}

# Both directions at once: the other side may not read while this one only writes.
sub send_bytes {
    my ($self, $bytes) = @_;
    my $select = IO::Select->new($self->{wire});
    while (length $bytes) {
        my ($readable, $writable) = IO::Select->select($select, $select);
        take_in($self) if @$readable && !$self->{ended};
        next unless @$writable;
        my $sent = syswrite $self->{wire}, $bytes;
        die "write: $!\n" unless defined $sent || $!{EAGAIN};
        substr $bytes, 0, $sent, '' if $sent;
    }
}

# Waits for bytes; false at the end of the wire.
sub read_more {
    my ($self) = @_;
    return 0 if $self->{ended};
    IO::Select->new($self->{wire})->can_read;
    take_in($self);
    return !$self->{ended};
}

sub take_in {
    my ($self) = @_;
    my $got = sysread $self->{wire}, $self->{input}, 65536, length $self->{input};
    die "read: $!\n" unless defined $got || $!{EAGAIN};
    $self->{ended} = 1 if defined $got && $got == 0;
}
