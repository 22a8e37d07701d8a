"""The server of `gene-gcn mcp`, without its transport."""

from __future__ import annotations

from mcp.server.mcpserver import MCPServer
from mcp.types import ToolAnnotations

from gene_gcn import __version__
from gene_gcn.cli.allowed_folders import AllowedFolders
from gene_gcn.cli.mcp_tools import Tools

__all__ = ["make_server"]

INSTRUCTIONS = """\
Annotates cell types in single-cell RNA-seq data. Start with list_files, then describe_model and annotate.
Types that the model does not know get the most similar one, unless unknown is true. Tell the user
the warnings. Paths are those of {folders}; relative ones are of the first folder."""
READS = {"list_files", "explain", "describe_model", "markers"}


def make_server(folders: AllowedFolders, *, urls: bool = False) -> MCPServer:
    """Return a server whose tools read and write in some folders only.

    Parameters
    ----------
    folders : AllowedFolders
    urls : bool
        Whether clients may have models loaded from URLs that they choose.
    """
    # Errors of the user's are no news for a log; crashes are.
    server: MCPServer = MCPServer(
        "gene_gcn",
        title="Cell types of single-cell RNA-seq data",
        instructions=INSTRUCTIONS.format(folders=folders),
        version=__version__,
        log_level="WARNING",
    )
    tools = Tools(folders, urls=urls)
    methods = (
        tools.list_files,
        tools.annotate,
        tools.explain,
        tools.report,
        tools.describe_model,
        tools.markers,
    )
    for method in methods:
        writes = method.__name__ not in READS
        hints = ToolAnnotations(read_only_hint=not writes, destructive_hint=writes, open_world_hint=urls)
        server.add_tool(method, annotations=hints)
    return server
