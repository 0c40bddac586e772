"""Who is believed: an authority of one's own, keys of gateways, passphrases, rights on a broker.

ca.py           certificates: made, renewed, revoked (`eclor ca`)
claim.py        a gateway's key on its way to the office, sealed
key_file.py     the office's file of keys, followed by the collector
locked_key.py   private keys in files that a passphrase locks
secret_words.py passphrases, asked for and never written;  secrets written for their owner alone
permissions.py  what each gateway may say and hear on a broker (`eclor ca permissions`)
"""
