#!/usr/bin/perl
# A link medium in Perl, judged over a pipe:
#
#     qstack conform --exec "perl examples/pipe/link.pl" --profile link-medium
#
# A station on the fibre, at which two photons meet.  The nearer end emits later, and the answer goes back the way that
# the photon came.  What an attempt gives is for the interfaces at both ends to say.
use strict;
use warnings;
use JSON::PP;
use List::Util qw(max min);

sub link_of {
    my ($ends, $fibre) = @{$_[0]}{qw(ends fibre)};
    my @settings = @{$ends->[0]{settings}};
    return {refused => 'physics', why => 'one of the interfaces makes links with nobody'}
        unless @settings && @{$ends->[1]{settings}};
    my @arms    = @{$fibre->{arms}};
    my @delay   = map { $_->{delay} } @arms;
    my $far     = max @delay;
    my $arrive  = $arms[0]{transmission} * $arms[1]{transmission};
    my @heralds = map { {%$_, probability => $_->{probability} * $arrive} } @settings;
    return {sheet => {
        heralds => \@heralds,
        period  => 2 * $far + max(map { $_->{idle} } @$ends) . '',    # times are texts
        emit    => [map { $far - $_ . '' } @delay],
        reply   => [map { $far + $_ . '' } @delay],
        lanes   => min(map { $_->{memories} } @$ends),
        delay   => $fibre->{delay},
    }};
}

my %answer = (
    hello => sub { return {protocol => 1, features => []} },
    link  => \&link_of,
);

my $json = JSON::PP->new->canonical;
$| = 1;
while (my $text = <STDIN>) {
    my $question = $json->decode($text);
    my $function = $answer{$question->{do}} // die "asked for $question->{do}";
    print $json->encode({re => $question->{re}, %{$function->($question)}}), "\n";
}
