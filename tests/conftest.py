"""What every test starts from."""

import signal

# A shell that starts a program in the background makes it deaf to Ctrl-C, and its children with it:
# the tests of an interruption need ears.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
