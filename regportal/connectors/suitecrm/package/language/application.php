<?php
// The drop-down of buying phases: the empty one first, then those that regportal ships with.

$app_list_strings['regportal_buying_phase_list'] = array(
    '' => '',
    'unaware' => 'Unaware',
    'stalled' => 'Stalled',
    'interest' => 'Interest',
    'exploration' => 'Exploration',
    'comparison' => 'Comparison',
    'decision' => 'Decision',
);
