"""`python -m lbdns`: the command line."""

from lbdns.cli.main import main

if __name__ == "__main__":
    main()
