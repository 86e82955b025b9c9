"""`python -m hoi STAGE ...`"""

from hoi.cli import main

main()
