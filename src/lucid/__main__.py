"""`python -m lucid`: the command, where no script of that name is installed, as in containers."""

from lucid.cli.main import main

if __name__ == "__main__":
    main()
