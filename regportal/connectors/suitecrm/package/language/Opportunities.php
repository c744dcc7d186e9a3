<?php

$mod_strings['LBL_BUYING_PHASE'] = 'Buying phase';
$mod_strings['LBL_BUYING_PHASE_SINCE'] = 'Buying phase since';
$mod_strings['LBL_BUYING_PHASE_REASON'] = 'Buying phase: why';
