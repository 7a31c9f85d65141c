#!/usr/bin/perl
# A hardware platform in Perl, judged over a pipe:
#
#     qstack conform --exec "perl examples/pipe/memory.pl" --profile hardware
#
# A memory with T1 = 10 s and T2 = 1.2 s, and a single-photon interface with two detectors at the station.  A model is
# parameters and pure functions, so there is nothing to remember between two lines.
use strict;
use warnings;
use JSON::PP;

my ($T1, $T2)    = (10.0, 1.2);    # relaxation and coherence time [s]; T2 <= 2 T1
my $EFFICIENCY   = 0.3;            # from the emitter into the fibre, times that of a detector
my $ATTEMPT      = 5_000_000;      # time that one attempt takes [ps]
my $INFIDELITY   = 0.02;

my %answer = (
    hello => sub { return {protocol => 1, features => []} },

    # What is left of a stored qubit: factors on <X>, <Y> and on <Z>, and the drift of <Z> towards |0>.
    decay => sub {
        my $age = shift->{age_s};
        my ($xy, $z) = (exp(-$age / $T2), exp(-$age / $T1));
        return {xy => $xy, z => $z, shift => 1 - $z};
    },

    # What layers are told: the factor on a Werner parameter.
    survival => sub {
        my $age = shift->{age} * 1e-12;
        return {factor => (2 * exp(-$age / $T2) + exp(-$age / $T1)) / 3};
    },

    # Both photons have to arrive; half of the Bell states can be told apart.
    herald => sub {
        my ($a, $b) = @{shift->{arms}};
        my $left = 1 - 4 * $INFIDELITY / 3;
        my @outcomes = map { {share => 0.5, bell => $_, correlators => [$left, $left, $left]} } (2, 3);
        return {heralds => [{
            parameter   => 1,
            probability => 0.5 * $EFFICIENCY**2 * $a->{transmission} * $b->{transmission},
            outcomes    => \@outcomes,
        }]};
    },

    period => sub { return {period => "$ATTEMPT"} },

    # The nearer node emits later, so that both photons meet; the answer goes the same way back.
    emit  => sub { my ($far, @delay) = delays(shift); return {times => [map { $far - $_ . "" } @delay]} },
    reply => sub { my ($far, @delay) = delays(shift); return {times => [map { $far + $_ . "" } @delay]} },
);

sub delays {    # the longer delay, and both [ps]
    my @delay = map { $_->{delay} } @{$_[0]->{arms}};
    my ($far) = sort { $b <=> $a } @delay;
    return ($far, @delay);
}

my $json = JSON::PP->new->canonical;
$| = 1;
while (my $text = <STDIN>) {
    my $question = $json->decode($text);
    my $function = $answer{$question->{do}} // die "asked for $question->{do}";
    print $json->encode({re => $question->{re}, %{$function->($question)}}), "\n";
}
