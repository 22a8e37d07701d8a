from .write import check_report_path as check_report_path
from .write import report_files as report_files
from .write import write_report as write_report
