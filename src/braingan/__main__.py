"""`python -m braingan` is the command `braingan`."""

from braingan.cli import main

if __name__ == "__main__":
    main()
