#!/usr/bin/perl
# A classical adapter in Perl, judged over a pipe:
#
#     qstack conform --exec "perl examples/pipe/wireguard.pl" --profile adapter
#
# It hands over what WireGuard reads as the preshared key of a peer: 32 octets in base64, under a comment that names the
# key.  A longer key is hashed, so that every bit of it counts.  A key is never written anywhere else, and no refusal
# holds one.
use strict;
use warnings;
use Digest::SHA qw(sha256);
use JSON::PP;
use MIME::Base64 qw(encode_base64);

my $LEAST = 32;    # octets

sub deliver {
    my ($identity, $digits) = @{$_[0]}{qw(identity key)};
    return refusal("a key that was wiped")                   unless defined $digits;
    return refusal("a key shorter than $LEAST octets")       if length($digits) < 2 * $LEAST;
    return refusal("a name that is no single line of ASCII") unless $identity =~ /\A[\x20-\x7e]+\z/;
    my $key = pack 'H*', $digits;
    $key = sha256($key) if length($key) > 32;
    my $text = "# $identity\nPresharedKey = " . encode_base64($key, '') . "\n";
    return {delivery => unpack 'H*', $text};
}

sub refusal { return {refused => 'local', why => $_[0]} }

my %answer = (
    hello   => sub { return {protocol => 1, features => []} },
    adapter => sub { return {least => $LEAST} },
    deliver => \&deliver,
    show    => sub { return {text => 'WireGuard preshared keys'} },
);

my $json = JSON::PP->new->canonical->ascii;
$| = 1;
while (my $text = <STDIN>) {
    my $question = $json->decode($text);
    my $function = $answer{$question->{do}} // die "asked for $question->{do}";
    print $json->encode({re => $question->{re}, %{$function->($question)}}), "\n";
}
