"""What the venue's documents say, in another notation than the spec's."""

from __future__ import annotations

PLACES = """
A   client all             both       98Y 108Y 96Y 1137Y 789 383 464 553 554 21005
A   venue  all             both       98Y 108Y 96 1137Y 141 789 383 464 553 554 21005
A   client NR,DC,RFQ,MD    both       141Y
A   client RT,PT           both       141
A   any    NR,RT           both       8013 20126 21007 21008 21011 21012
A   any    RT,PT           both       20200
A   any    NR,RT,PT        prediction 20127
A   any    NR,RT           prediction 21026 21027
0   any    all             both       112
1   any    all             both       112Y
2   any    RT,PT           both       7Y 16Y
3   any    all             both       45Y 371 372 373 58
4   any    RT,PT           both       123 36Y
5   any    all             both       58
j   venue  all             both       45Y 372Y 371 379 380Y 58
D   client NR,RT           both       11Y 18 38Y 40Y 44Y 54Y 55Y 59 126 453{448Y 452Y} 79 526 20130 2964 21006
D   client NR,RT           prediction 100 117 21023 21009
G   client NR,RT           both       11Y 37 41Y 38Y 40Y 44 54Y 55Y 453{448Y 452Y} 79
G   client NR,RT           prediction 100
F   client NR,RT           both       11Y 37 41Y 54Y 55Y 453{448Y 452Y} 79
F   client NR,RT           prediction 100
q   client NR              both       11Y 530Y
8   venue  NR,RT,DC,RFQ    both       37Y 11Y 41 17Y 150Y 39Y 54Y 55Y 38Y 151Y 14Y 6Y 44 31 32 30
8   venue  NR,RT,DC,RFQ    both       126 58 103 378
8   venue  NR,RT,DC,RFQ    both       453{448Y 452} 79 704 705 880 1057 2964
8   venue  NR,RT,DC,RFQ    both       136{137Y 138Y 139Y 891Y} 1703{1704Y 1705Y}
8   venue  NR,RT,DC,RFQ    prediction 60 21030 21031
8   venue  NR,RT,DC        margin     60Y
9   venue  NR,RT           both       37Y 11Y 41 39Y 434Y 102 58
r   venue  NR              both       11Y 37Y 531Y 532
UOG client NR,RT           both       20131Y 20130 20132 79
UOG client NR,RT           prediction 100
UOH venue  NR,RT           both       20130Y 20132 79
U1  client DC              both       21001Y 21002
U2  venue  DC              both       45Y 21003Y
U3  venue  DC              both       45Y 21004Y
V   client MD              both       263Y 146{55Y}
W   venue  MD              margin     55Y 268Y{269Y 270Y 271Y}
W   venue  MD              prediction 55Y 268Y{269Y 270Y 271Y 272Y 273Y}
X   venue  MD              margin     268Y{279Y 55Y 269Y 270Y 271Y 2446}
X   venue  MD              prediction 268Y{279Y 55Y 269Y 270Y 271Y 272Y 273Y 2446}
Y   venue  MD              both       281 58
e   client MD              prediction 263Y 55Y
f   venue  MD              prediction 55Y 326Y
UMS venue  PT,RT,NR        prediction 20105Y 55Y 715Y 20106 20107Y 730Y 893
UMS venue  PT,RT,NR        prediction 20108{20109Y 20110Y 704 705 1703{1704Y 1705Y} 136{137Y 138Y 139Y 891Y}}
R   client RT              prediction 131Y 146Y{55 38 152 21015 21016 453{448Y 452Y}} 79
R   client RT              prediction 20180 20181{20182Y 20183Y 20184Y}
R   venue  RFQ             prediction 131Y 146Y{55Y 38Y 152 453{448Y 452}}
R   venue  RFQ             prediction 20180 20181{20182Y 20183Y 20184Y}
b   venue  RT              prediction 131Y 303Y 21023 55 100Y 58
S   client RFQ             prediction 117Y 131Y 55Y 132 133 18 79 21015
S   venue  RT              prediction 117Y 131Y 55Y 132 133 38 134 135 453{448Y 452}
AI  venue  RFQ             prediction 117Y 131Y 297Y 79 38 132 133 134 135 54 58
Z   client RFQ             prediction 117Y 21023
U9  venue  RFQ             prediction 117Y 298Y 58
U7  client RFQ             prediction 117Y 21023
U8  venue  RFQ             prediction 117Y 21010Y 58
UA  client RT              prediction 117Y 21023 54Y 38 11 453{448Y 452Y} 21022
UC  venue  RT              prediction 117Y 21025Y 21024 11 58
UE  client RT              prediction 131 21023 453{448Y 452Y}
UB  venue  RT              prediction 131Y 21013Y 21023 58
AG  venue  RT,RFQ          prediction 131Y 658Y 58Y 20187 20185{20186Y}
"""

CODES = """
39 0 1 2 4 5 6 8 A C E      | 150 0 4 5 6 8 A C E F     | 54 1 2        | 40 2          | 18 6
59 0 1 3 4 6                | 2964 0 1 2                | 452 24 35     | 434 1 2       | 530 6
103 1 2 3 4 5 6 8 11 13 15 99 | 102 0 1 2 18 99         | 531 0 6       | 139 4         | 891 0
1705 BALANCE PAYOUT         | 297 0 5 10 17             | 298 0 1       | 303 1 2       | 21010 0 1
21025 0 1                   | 21013 0 1 2               | 658 1 3 11 99 | 21004 1 2 3 4 | 263 0 1 2
269 0 1 2                   | 279 0 1 2                 | 2446 1 2      | 281 2 4       | 326 2 3 100 101
20107 yes no scalar         | 20184 yes no              | 20110 24      | 20131 1 2 3 4 5
373 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 99   | 380 0 1 2 3 4 5 6 8 | 98 0 | 1137 9 | 1128 9
20187 conflicting_leg_outcomes duplicated_legs invalid_market_combination
"""

TYPES = """
PRICE 6 31 44 132 133 270 730
QTY 14 32 38 134 135 151 271 704 705
AMT 137 152 1704 21009 21030 21031
INT 79 98 100 102 103 108 297 298 303 326 371 373 378 380 452 532 658 891 2964 20106 20110 20131 20132 20200
INT 21003 21004 21010 21013 21025
BOOLEAN 43 97 123 141 464 893 1057 8013 20126 20127 21005 21006 21007 21008 21011 21012 21015 21016 21022
BOOLEAN 21026 21027
UTCTIMESTAMP 52 60 122 126
UTCDATEONLY 272
UTCTIMEONLY 273
LOCALMKTDATE 715
CHAR 39 40 54 59 139 150 263 269 279 281 434 530 531 2446
SEQNUM 7 16 34 36 45 789
LENGTH 9 93 95 383
DATA 89 96
NUMINGROUP 136 146 268 453 1703 20108 20181 20185
CURRENCY 138
MULTIPLECHARVALUE 18
"""

UNITS = """
dollars or cents: 6 31 44 132 133
dollars: 137 152 270 1704 21009 21030 21031
cents: 730
contracts: 14 32 38 134 135 151 271 704 705 20132
seconds: 108
hours: 20200
bytes: 383
reports: 20106 21003
"""
