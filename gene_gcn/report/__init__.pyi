from .paths import check_report_path as check_report_path
from .paths import report_files as report_files
from .write import Report as Report
from .write import write_report as write_report
