from .hcop_files import hcop as hcop
from .match import OrthologMatch as OrthologMatch
from .match import match_orthologs as match_orthologs
from .neighbors import mutual_neighbors as mutual_neighbors
from .tables import read_orthologs as read_orthologs
