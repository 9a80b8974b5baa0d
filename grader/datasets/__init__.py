"""The data of training items: real files found under GRADER_DATA, and stand-ins made by code. Judge only.

    texts    ag_news, yelp_polarity                  -> LabelledTexts
    corpora  wikitext2                               -> Corpus
    pairs    multi30k, sentence_pairs, pig_latin     -> Pairs
    images   cifar10, mnist                          -> Images
    vocabulary                                       words and word pieces to ids, and the tokenisers

Every loader takes a `DataSource`. A set that is not there raises `MissingData`, one that is cut short or broken raises
`DamagedData`. Contents with a known checksum are named; other contents are used and named "of unknown origin".
"""

VARIABLE = "GRADER_DATA"  # names the folder of real data
