"""`python -m gene_gcn` is the command `gene-gcn`."""

import sys

from gene_gcn.cli import main

sys.exit(main())
