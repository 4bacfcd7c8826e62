-- What the peers are shown of the gateway's tables: a schema of its own, as PostGraphile recommends, with the rules of who
-- sees what already in it. The keys are said in comments, because views have none.
CREATE SCHEMA page;

CREATE VIEW page.accounts AS SELECT id, name, role, industry FROM public.accounts;
COMMENT ON VIEW page.accounts IS '@primaryKey id';

CREATE VIEW page.connections AS
    SELECT id, state, owner_id AS viewer_id, recipient_id AS partner_id FROM public.connections
    UNION ALL
    SELECT id, state, recipient_id, owner_id FROM public.connections;
COMMENT ON VIEW page.connections IS
    E'@primaryKey id\n@foreignKey (viewer_id) references accounts (id)|@foreignFieldName connections\n'
    '@foreignKey (partner_id) references accounts (id)|@fieldName partner|@behavior -manyRelation:resource:connection';

CREATE VIEW page.projects AS SELECT id, connection_id, name, created_at FROM public.projects;
COMMENT ON VIEW page.projects IS
    E'@primaryKey id\n@foreignKey (connection_id) references connections (id)|@foreignFieldName projects';

CREATE VIEW page.audiences AS
    SELECT id, account_id, name, identities FROM public.audiences
    WHERE access_kind = 'PUBLIC' AND refreshed_at > now() - interval '7 days';
COMMENT ON VIEW page.audiences IS
    E'@primaryKey id\n@foreignKey (account_id) references accounts (id)|@foreignFieldName audiences';
