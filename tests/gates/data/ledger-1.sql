-- A ledger that quantgate wrote at commit 7f9aae2.
BEGIN TRANSACTION;
CREATE TABLE attempts (
    invocation_id TEXT PRIMARY KEY, kind TEXT NOT NULL, fingerprint TEXT NOT NULL, config TEXT NOT NULL,
    executor TEXT NOT NULL, output_dir TEXT NOT NULL, run_dir TEXT NOT NULL, tasks TEXT NOT NULL,
    sample_limit INTEGER NOT NULL, outcome TEXT NOT NULL, error TEXT NOT NULL, endpoint TEXT NOT NULL, created REAL NOT NULL
);
INSERT INTO "attempts" VALUES('1a1a1a1a1a1a1a1a','canary','000000000000000000000000000000000000000000000000000000000000000b','/work/eval/it''s a config.yaml','process','/out dir','/out dir/20251114_1a','["ifbench", "gpqa.*"]',5,'launched','','{"models": ["m-fp8"]}',1700000000.0);
INSERT INTO "attempts" VALUES('2b2b2b2b2b2b2b2b','full','000000000000000000000000000000000000000000000000000000000000000b','/work/eval/it''s a config.yaml','process','/out dir','/out dir/20251114_2b','[]',0,'launched','','',1700000007.0);
INSERT INTO "attempts" VALUES('2b3c2b3c2b3c2b3c','subset','000000000000000000000000000000000000000000000000000000000000000c','/work/eval/zwei.yaml','slurm','/lustre/out','','["mmlu"]',100,'failed','sbatch: error: invalid account
second line','',1700000014.0);
INSERT INTO "attempts" VALUES('4d4d4d4d4d4d4d4d','canary','000000000000000000000000000000000000000000000000000000000000000d','/work/eval/über.yaml','local','/out','','["aime"]',3,'launching','','',1700000021.0);
CREATE TABLE gates (
    fingerprint TEXT NOT NULL, gate TEXT NOT NULL, passed INTEGER NOT NULL, reasons TEXT NOT NULL, detail TEXT NOT NULL,
    invocation_id TEXT NOT NULL, judged REAL NOT NULL, PRIMARY KEY (fingerprint, gate, invocation_id)
);
INSERT INTO "gates" VALUES('000000000000000000000000000000000000000000000000000000000000000b','dry_run',1,'[]','{"executor": "process"}','',1700000028.0);
INSERT INTO "gates" VALUES('000000000000000000000000000000000000000000000000000000000000000b','canary',1,'["5 of 5 samples"]','{"limit": 5, "tasks": ["ifbench"]}','1a1a1a1a1a1a1a1a',1700000035.0);
INSERT INTO "gates" VALUES('000000000000000000000000000000000000000000000000000000000000000d','canary',0,'["no sample was answered", "it''s empty"]','{"limit": 3}','4d4d4d4d4d4d4d4d',1700000042.0);
CREATE INDEX attempts_by_fingerprint ON attempts (fingerprint, kind, created);
COMMIT;
PRAGMA user_version=1;
