#!/usr/bin/perl
# A quantum code in Perl, judged over a pipe:
#
#     qstack conform --exec "perl examples/pipe/code.pl" --profile code
#
# The code of five qubits that corrects any error on one of them: Laflamme et al., Phys. Rev. Lett. 77, 198 (1996).
# A syndrome is a number: bit k is set where an error anticommutes with generator k.  The recovery of a syndrome is the
# one error of weight 0 or 1 that has it; all sixteen are different.
use strict;
use warnings;
use JSON::PP;

my @GENERATORS = qw(XZZXI IXZZX XIXZZ ZXIXZ);

sub syndrome {
    my @error = split //, shift;
    my $found = 0;
    for my $k (0 .. $#GENERATORS) {
        my @row  = split //, $GENERATORS[$k];
        my $odd  = grep { $row[$_] ne 'I' && $error[$_] ne 'I' && $row[$_] ne $error[$_] } 0 .. $#row;
        $found |= ($odd % 2) << $k;
    }
    return $found;
}

my %recovery = (0 => 'IIIII');
for my $place (0 .. 4) {
    for my $pauli (qw(X Y Z)) {
        my $error = 'I' x 5;
        substr($error, $place, 1) = $pauli;
        $recovery{syndrome($error)} = $error;
    }
}

my %HAS = (distances => 1, recoveries => 1);    # what a code need not have, and this one has

my %answer = (
    hello => sub { return {protocol => 1, features => [grep { $HAS{$_} } @{shift->{features}}]} },
    code  => sub {
        return {
            stabilizers => \@GENERATORS,
            logical_x   => 'XXXXX',
            logical_z   => 'ZZZZZ',
            distance    => 3,
            decodes     => JSON::PP::true,
        };
    },
    recovery => sub { return {recovery => $recovery{shift->{syndrome}}} },
);

my $json = JSON::PP->new->canonical;
$| = 1;
while (my $text = <STDIN>) {
    my $question = $json->decode($text);
    my $function = $answer{$question->{do}} // die "asked for $question->{do}";
    print $json->encode({re => $question->{re}, %{$function->($question)}}), "\n";
}
