<?php

$mod_strings['LBL_REGPORTAL_ID'] = 'regportal: key';
