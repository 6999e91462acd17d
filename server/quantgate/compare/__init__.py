"""Did quantization hurt: two validated runs become a verdict, with the assumptions in sight; `report/` shows it as a page."""
