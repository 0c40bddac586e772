"""What a technician writes before he drives out: site files and maps, and what is wrong in them.

site_file.py  a site file with its positions, every problem at once (`eclor check`)
site_rules.py the rules;  promise.py  what a configuration promises about privacy, in sentences
site_words.py what each field is for: the sample, the JSON Schema (`eclor schema`)
site_new.py   a site file from answers; what changes between two (`eclor site`)
map_file.py   maps by name or from a file of one's own, with line and column (`eclor maps`)
"""
